"""What an answer to an update has to hold to confirm it."""

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
