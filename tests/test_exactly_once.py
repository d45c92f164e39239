"""However the network or the API fails: each document at most once, and each outcome true."""

import re
import threading
import time
from pathlib import Path

import pytest
from cut_answers import wrongly_judged
from end_to_end import (
    NUMBERED,
    RawServer,
    attempts,
    closed_port,
    created,
    error,
    http,
    import_into,
    invoice_rows,
    make_project,
    references,
)

from importer.api.client import Client
from importer.api.session import Session
from importer.api.verdict import Then, judge_create
from importer.model import Status
from importer.sandbox import Fault, Sandbox, Settings, inspect

INVOICE = "customerInvoice"
COUNT = 5


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", invoice_rows(COUNT))


def test_a_claim_is_on_disk_before_a_byte_leaves(project: Path) -> None:
    """When a request arrives, another process already reads in the journal that its document is being sent."""
    seen: list[list[tuple[str, str]]] = []

    def answer(number: int, _request: bytes) -> bytes:
        seen.append(attempts(project))
        return created(f"{number:06}")

    with RawServer(answer) as server:
        ran = import_into(project, server.base_url)

    assert ran.code == 0
    assert [states[-1] for states in seen] == [(f"F{n:04}", "sending") for n in range(1, COUNT + 1)]
    assert all({state for _, state in states[:-1]} <= {"accepted"} for states in seen)


@pytest.mark.parametrize(
    ("kind", "there", "status", "code"),
    [
        ("cut_before", False, "unknown", 5),
        ("cut_after", True, "accepted", 0),
        ("500_before", False, "unknown", 5),
        ("500_after", True, "accepted", 0),
        ("502_html", False, "unknown", 5),
        ("503", False, "unknown", 5),
        ("400_plain", False, "unknown", 5),
        ("202", True, "accepted", 0),
        ("307", False, "unknown", 5),
        ("500_message", False, "rejected", 4),
        ("no_location", True, "accepted", 0),
        ("429", True, "accepted", 0),
        ("401", True, "accepted", 0),
    ],
)
def test_a_fault_of_one_request_never_sends_a_document_twice(
    project: Path, tmp_path: Path, kind: str, there: bool, status: str, code: int
) -> None:
    """One request of five goes wrong; its outcome is true, and a second run sends what is safe to send, once."""
    fault = Fault(match="POST customerinvoice", kind=kind, nth=2)  # type: ignore[arg-type]
    settings = Settings(faults=(fault,), background_delay_s=0)
    with Sandbox(tmp_path / "sandbox", settings=settings) as box:
        ran = import_into(project, box.base_url)
        time.sleep(0.1 if kind == "202" else 0)
        first = references(inspect.documents(tmp_path / "sandbox", INVOICE))
        box.faults.clear()
        later = import_into(project, box.base_url)
        second = references(inspect.documents(tmp_path / "sandbox", INVOICE))

    assert ran.document("F0002")["status"] == status
    assert ran.code == code
    assert ("F0002" in first) is there
    assert len(second) == len(set(second)), "a document is there twice"
    stays = status == "unknown"
    assert later.document("F0002")["status"] == ("unknown" if stays else "already_accepted" if there else "accepted")
    assert later.code == (5 if stays else 0)
    assert ("F0002" in second) is (there or not stays)
    assert [key for key in second if key != "F0002"] == ["F0001", "F0003", "F0004", "F0005"]


def test_in_doubt_nothing_is_sent_and_the_message_names_the_run(project: Path) -> None:
    """A document in doubt stays so over any number of runs, and no byte goes out for it."""
    with RawServer(lambda number, _: b"" if number == 0 else created(f"{number:06}")) as server:
        first = import_into(project, server.base_url)
        sent = len(server.requests)
        runs = [import_into(project, server.base_url) for _ in range(3)]

        assert len(server.requests) == sent == COUNT

    for ran in runs:
        assert (ran.code, ran.counts) == (5, {"unknown": 1, "already_accepted": COUNT - 1})
        assert first.run_id in ran.documents[0]["message"]
        assert ran.documents[0]["sent_at"] is None


def test_an_unreachable_host_starts_no_run(project: Path) -> None:
    """Nothing reached anybody: exit 3, no run, no report, and the next run sends everything."""
    with RawServer(lambda number, _: created(f"{number:06}")) as server:
        ran = import_into(project, f"http://127.0.0.1:{closed_port()}", server.base_url)
        found = (ran.code, ran.folder.exists(), attempts(project))
        later = import_into(project, server.base_url)

        assert len(server.requests) == COUNT

    assert found == (3, False, [])
    assert (later.code, later.counts) == (0, {"accepted": COUNT})


def test_a_refused_connection_is_certainly_not_sent() -> None:
    """A write that met a closed port left nothing behind, so that it may be tried again."""
    client = Client(f"http://127.0.0.1:{closed_port()}", timeout_s=(5, 5))
    verdict = judge_create(Session(client).write("POST", "/v1/customerinvoice", b"{}"), asked_number=None)
    client.close()

    assert (verdict.status, verdict.then, verdict.unreachable) == (Status.NOT_SENT, Then.AGAIN, True)
    assert "refused" in verdict.message


def test_without_a_token_nothing_starts(project: Path) -> None:
    """No token before the first document: exit 3, no run, no report, and the token's host hears no document."""
    with RawServer(lambda *_: created("000001")) as server:
        ran = import_into(project, server.base_url, f"http://127.0.0.1:{closed_port()}")

        assert server.requests == []

    assert ran.code == 3
    assert (ran.folder.exists(), attempts(project)) == (False, [])


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (http(500), "unknown"),
        (error(500, "VismaId: 0a1b2c3d-1111-2222-3333-444455556666. Error: The period is closed."), "rejected"),
        (http(500, b'{"ExceptionFaultCode": "10001"}'), "rejected"),
        (error(502, "upstream"), "unknown"),
        (http(504, b"<html>timeout</html>"), "unknown"),
        (error(400, "Customer cannot be found in the system."), "rejected"),
        (http(400, b"<html>Bad Request</html>"), "unknown"),
        (http(400), "unknown"),
        (error(409, "conflict"), "unknown"),
        (error(422, "Unprocessable."), "rejected"),
        (http(200, b"{}"), "unknown"),
        (http(202), "unknown"),
        (http(301, Location="http://127.0.0.1:9/"), "unknown"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "unknown"),
        (b"HTTP/1.1 201 Created\r\n" + b"a: b\r\n" * 300 + b"\r\n", "unknown"),
    ],
    ids=lambda value: value[:60].decode("ascii", "replace").strip() if isinstance(value, bytes) else value,
)
def test_each_answer_has_its_verdict_and_whatever_is_not_known_is_unknown(
    tmp_path: Path, answer: bytes, status: str
) -> None:
    """One document, one request, one outcome, whatever the answer says."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    with RawServer(lambda *_: answer) as server:
        ran = import_into(project, server.base_url)

        assert len(server.requests) == 1

    assert ran.documents[0]["status"] == status
    assert ran.code == {"unknown": 5, "rejected": 4}[status]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (http(307, Location="http://["), {"unknown"}),
        (http(307, Location="\xff\xfe"), {"unknown"}),
        (http(201, Location="http://["), {"accepted", "unknown"}),
        (http(201, Location="/v1/customerinvoice/%2e%2e%2fx"), {"accepted", "unknown"}),
        (http(400, rb'{"message": "Customer \ud800 is not known."}'), {"rejected"}),
        (http(400, rb'{"message": "Customer \u0000 is not known."}'), {"rejected"}),
        (http(400, b'{"message": ' + b"[" * 100_000), {"unknown"}),
        (http(201).replace(b"Content-Length: 0", b"Content-Length: 5, 6"), {"unknown"}),
        (http(201, X_RateLimit_Remaining="100", X_RateLimit_Reset="9" * 400), {"accepted"}),
        (http(201, X_RateLimit_Remaining="9" * 5000, X_RateLimit_Reset="9" * 5000), {"accepted"}),
    ],
    ids=[
        *("redirect-url", "redirect-bytes", "location-url", "location-path", "surrogate", "nul", "deep", "lengths"),
        *("long reset", "long remaining"),
    ],
)
def test_nonsense_in_an_answer_never_breaks_the_run(tmp_path: Path, answer: bytes, allowed: set[str]) -> None:
    """The document is settled and the next one is sent, whatever an answer holds."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    with RawServer(lambda number, _: answer if number == 0 else created(f"{number:06}")) as server:
        ran = import_into(project, server.base_url)

    assert ran.code in {0, 4, 5}
    assert ran.documents[0]["status"] in allowed
    assert ran.documents[0]["number"] is None
    assert ran.documents[1]["status"] == "accepted"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"X_RateLimit_Reset": "9"}, 9),
        ({"Retry_After": "Mon, 27 Jan 2025 10:00:08 GMT", "Date": "Mon, 27 Jan 2025 10:00:00 GMT"}, 8),
        ({"Retry_After": "9" * 500}, 3600),
        ({"Retry_After": "\xb2"}, 60),
        ({"Retry_After": "Fri, 31 Dec 99999 23:59:59 GMT", "Date": "yesterday"}, 60),
        ({}, 60),
    ],
)
def test_the_wait_after_a_429_is_bounded_and_nothing_is_in_doubt(headers: dict[str, str], seconds: float) -> None:
    """A wait that is not said is a minute, none is longer than an hour, and the document is known not to be there."""
    with RawServer(lambda *_: http(429, **headers)) as server:
        client = Client(server.base_url, timeout_s=(5, 5))
        result = Session(client).write("POST", "/v1/customerinvoice", b"{}")
        client.close()

        assert len(server.requests) == 1

    verdict = judge_create(result, asked_number=None)

    assert (Status.NOT_SENT, Then.AGAIN, seconds) == (verdict.status, verdict.then, verdict.wait_s)


def test_a_redirect_is_never_followed_and_the_body_not_forwarded(tmp_path: Path) -> None:
    """The host that a redirect names hears nothing, neither of the body nor of anything else."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    with RawServer(lambda *_: created("000001")) as other:
        with RawServer(lambda *_: http(307, Location=f"{other.base_url}/v1/customerinvoice")) as server:
            ran = import_into(project, server.base_url)

            assert len(server.requests) == 1
        assert other.requests == []

    assert (ran.documents[0]["status"], ran.documents[0]["http_status"]) == ("unknown", 307)


def test_a_whole_201_without_location_is_accepted_with_no_number(tmp_path: Path) -> None:
    """It is there; its number is not guessed."""
    with RawServer(lambda *_: http(201)) as server:
        ran = import_into(make_project(tmp_path / "project", invoice_rows(1), NUMBERED), server.base_url)

    assert (ran.code, ran.documents[0]["status"], ran.documents[0]["number"]) == (0, "accepted", None)
    assert "number" in ran.documents[0]["message"]


def test_a_location_of_another_number_is_not_believed(tmp_path: Path) -> None:
    """The message names both numbers, and the next run sends nothing."""
    project = make_project(tmp_path / "project", invoice_rows(1), NUMBERED)
    with RawServer(lambda *_: created("999999")) as server:
        ran = import_into(project, server.base_url)
        later = import_into(project, server.base_url)

        assert len(server.requests) == 1

    assert (ran.code, ran.counts) == (5, {"unknown": 1})
    assert all(number in ran.documents[0]["message"] for number in ("'999999'", "'F0001'"))
    assert (later.code, later.counts) == (5, {"unknown": 1})


@pytest.mark.parametrize(("status", "tries"), [(401, 2), (403, 1)])
def test_credentials_that_are_refused_stop_the_run_with_nothing_in_doubt(
    project: Path, status: int, tries: int
) -> None:
    """No second document runs into the same wall, and all go out when it is down; after 401 a new token is tried."""
    walls = iter([0, *[status] * tries])
    with RawServer(lambda number, _: http(wall) if (wall := next(walls, 0)) else created(f"{number:06}")) as server:
        ran = import_into(project, server.base_url)
        first = len(server.requests)
        later = import_into(project, server.base_url)

        assert (first, len(server.requests)) == (1 + tries, 1 + tries + COUNT - 1)

    assert (ran.code, ran.counts) == (6, {"accepted": 1, "not_sent": COUNT - 1})
    assert str(status) in ran.results["stopped"]
    assert ran.documents[1]["sent_at"] is None
    assert (later.code, later.counts) == (0, {"already_accepted": 1, "accepted": COUNT - 1})


def test_a_429_waits_as_long_as_it_says_and_sends_the_same_document_once(project: Path) -> None:
    """The same bytes go out again after Retry-After; no document is skipped, none is there twice."""
    times: list[float] = []

    def answer(number: int, _request: bytes) -> bytes:
        times.append(time.monotonic())
        return http(429, Retry_After="1") if number in {1, 2} else created(f"{number:06}")

    with RawServer(answer) as server:
        ran = import_into(project, server.base_url)
        bodies = [request.partition(b"\r\n\r\n")[2] for request in server.requests]

    assert (ran.code, ran.counts) == (0, {"accepted": COUNT})
    assert bodies[1] == bodies[2] == bodies[3]
    assert len(set(bodies)) == COUNT
    assert min(times[2] - times[1], times[3] - times[2]) >= 1.0
    assert attempts(project).count(("F0002", "accepted")) == 1


@pytest.mark.parametrize("body", [b"", b"4\r\nabcd\r\n0\r\n\r\n"])
def test_an_answer_cut_at_any_byte_never_gives_a_wrong_number(body: bytes) -> None:
    """A 201 cut inside its head is in doubt, wherever the cut falls; with a whole head the number is right."""
    length = b"Transfer-Encoding: chunked" if body else b"Content-Length: 0"
    head = (
        b"HTTP/1.1 201 Created\r\nLocation: https://api.example/v1/customerinvoice/0035467\r\n" + length + b"\r\n\r\n"
    )
    assert wrongly_judged(head + body, enough=len(head)) == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (http(400, b'{"message": "No."}').replace(b"Content-Length: 18", b"Content-Length: 999"), Status.UNKNOWN),
        (http(400, b"not gzip", Content_Encoding="gzip"), Status.UNKNOWN),
        (http(400, b'{"message": "' + b"x" * 1_500_000 + b'"}'), Status.UNKNOWN),
        (http(201, b"x" * 1_500_000, Location="https://api.example/v1/customerinvoice/000123"), Status.ACCEPTED),
        (http(201).replace(b"Content-Length: 0", b"Content-Length: 9"), Status.UNKNOWN),
    ],
)
def test_a_damaged_or_endless_body_says_no_more_than_it_does(answer: bytes, status: Status) -> None:
    """A body that is not whole refuses nothing and names nothing; the head alone still counts."""
    with RawServer(lambda *_: answer) as server:
        client = Client(server.base_url, timeout_s=(5, 5))
        verdict = judge_create(client.exchange("POST", "/v1/customerinvoice", b"{}"), asked_number=None)
        client.close()

    assert verdict.status is status
    assert verdict.number == ("000123" if status is Status.ACCEPTED else None)


def test_no_answer_in_time_is_in_doubt() -> None:
    """A document whose answer does not come in time may be there later, and is asked for once."""
    hold = threading.Event()
    with RawServer(lambda *_: created("000001") if hold.wait(10) else b"") as server:
        client = Client(server.base_url, timeout_s=(5, 0.3))
        verdict = judge_create(Session(client).write("POST", "/v1/customerinvoice", b"{}"), asked_number=None)
        client.close()
        hold.set()

        assert len(server.requests) == 1

    assert verdict.status is Status.UNKNOWN
    assert "in time" in verdict.message


def test_no_setting_of_the_machine_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor .netrc in the environment changes where a request goes or what it holds."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login planted password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with RawServer(lambda *_: created("000001")) as server:
        ran = import_into(project, server.base_url)
        (request,) = server.requests

    assert ran.code == 0
    assert request.startswith(b"POST /v1/customerinvoice HTTP/1.1\r\n")
    assert re.findall(rb"(?i)authorization: *(.*)\r\n", request) == [b"Bearer a-token"]
    assert b"planted" not in request


@pytest.mark.parametrize(
    ("reasons", "sent", "ended"),
    [
        (["Customer '{}' is not known. Error {}."], 25, (6, {"rejected": 25, "not_sent": 15})),
        (["The period is closed.", "The item is not known."], 40, (4, {"rejected": 40})),
    ],
)
def test_as_many_equal_rejections_in_a_row_stop_the_run(
    tmp_path: Path, reasons: list[str], sent: int, ended: tuple[int, dict[str, int]]
) -> None:
    """25 rejections that differ only in numbers and names stop it; others do not."""
    project = make_project(tmp_path / "project", invoice_rows(40))
    with RawServer(lambda number, _: error(400, reasons[number % len(reasons)].format(number, number))) as server:
        ran = import_into(project, server.base_url)

        assert len(server.requests) == sent

    assert (ran.code, ran.counts) == ended
    assert ("25 times" in ran.results["stopped"]) is (sent == 25)
