"""What an answer to an update has to hold to confirm it."""

import json
import re
from pathlib import Path

import pytest
from end_to_end import RawServer, http
from test_updates import CUSTOMER, HEADERS, Office, serve


def aim(office: Office, base_url: str) -> None:
    """Let the target of an office's project be another address; its tokens come from where they came."""
    targets = office.project / "targets.yaml"
    text = re.sub(r"(?m)^( *base_url: ).*$", rf"\g<1>{base_url}", targets.read_text(encoding="utf-8"))
    targets.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", "accepted"),
        (b"\r\n", "accepted"),
        (b"{}", "accepted"),
        (b'{"number": "10001", "name": "B", "timeStamp": "AAAAAE0YIiI=", "errorInfo": ""}', "accepted"),
        (b'{"message": "Document can\'t be updated because it is already released."}', "unknown"),
        (b'{"Message": ""}', "unknown"),
        (b'{"ExceptionType": "IPPException", "ExceptionMessage": "No license for this company."}', "unknown"),
        (b'{"ExceptionFaultCode": "12002"}', "unknown"),
        (b'{"error": "invalid_token", "error_description": "It has ended."}', "unknown"),
        (b"<html>Sign in</html>", "unknown"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>Sign in</html>", "unknown"),
        (b"Access denied by policy 42", "unknown"),
        (b'"OK"', "unknown"),
        (b"[]", "unknown"),
        (b'{"number": "10001", "errorInfo": "The customer is locked."}', "unknown"),
        (b'{"number": "10001"', "unknown"),
    ],
)
def test_a_200_confirms_an_update_only_with_nothing_or_the_document_in_its_body(
    tmp_path: Path, said: bytes, status: str
) -> None:
    """What tells of an error, and what is no document, leaves the update in doubt with what was said."""
    with serve(tmp_path) as office, RawServer(lambda _nth, _request: http(200, said)) as raw:
        aim(office, raw.base_url)
        code, statuses, (message,) = office.run(CUSTOMER, HEADERS, ("10001", "B", None, None))
        aim(office, office.box.base_url)
        assert (code, statuses) == ((0 if status == "accepted" else 5), [status])
        for word in ("already released", "No license", "12002", "is locked"):
            assert (word in message) is (word.encode() in said)
        if status == "unknown":
            assert office.run(CUSTOMER, HEADERS, ("10001", "C", None, None))[:2] == (5, ["not_sent"])
            assert office.run(CUSTOMER, HEADERS, ("10001", "B", None, None))[:2] == (0, ["accepted"])


class Customer(RawServer):
    """Read out one customer, with the headers that are given, and take changes of it."""

    def __init__(self, held: bytes, headers: dict[str, str]) -> None:
        super().__init__(lambda _nth, _request: http(204))
        self._held = http(200, held, **headers)

    def _reply(self, request: bytes) -> bytes:
        return self._held if request.startswith(b"GET /v1/customer/10001") else super()._reply(request)


@pytest.mark.parametrize(
    ("version", "headers", "tag"),
    [
        ({}, {}, None),
        ({"timeStamp": ""}, {"ETag": '""'}, None),
        ({"timeStamp": "AAAAAE0YIiI="}, {}, '"AAAAAE0YIiI="'),
        ({}, {"ETag": '"AAAAAE0YIiI="'}, '"AAAAAE0YIiI="'),
    ],
)
@pytest.mark.parametrize("more", ["", "compare: true\n"])
def test_what_has_no_version_is_not_overwritten_where_the_mapping_refuses_to(
    tmp_path: Path, version: dict[str, str], headers: dict[str, str], tag: str | None, more: str
) -> None:
    """Nothing goes out without the guard that was asked for, and the row says how it can; the same needs no guard."""
    held = json.dumps({"number": "10001", "name": "A", **version}).encode()
    with serve(tmp_path) as office, Customer(held, headers) as raw:
        aim(office, raw.base_url)
        mapping = CUSTOMER + "if_changed: refuse\n" + more
        same = office.run(mapping, HEADERS, ("10001", "A", None, None)) if more else None
        code, statuses, (message,) = office.run(mapping, HEADERS, ("10001", "B", None, None))

    tags = [tag for request in raw.requests for tag in re.findall(r"(?im)^if-match: *(.*?)\r$", request.decode())]
    assert same is None or same[:2] == (0, ["already_accepted"])
    assert (code, statuses, tags) == ((0, ["accepted"], [tag]) if tag else (4, ["rejected"], []))
    assert len(raw.requests) == len(tags)
    assert ("10001" in message and "no version" in message and "if_changed: overwrite" in message) is (tag is None)
