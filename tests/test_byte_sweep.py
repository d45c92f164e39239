"""One answer cut at every byte, plainly and by a reset: never a wrong number, never a false accepted or rejected."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from end_to_end import TARGET, RawServer, aim, error, http, invoice_rows, make_project, run_here
from fault_server import END, Deed, FaultServer, consume

from importer.api.client import Client
from importer.api.session import Session
from importer.api.verdict import Then, Verdict, judge_create
from importer.model import Status

PATH = "/v1/customerinvoice"
BODY = b'{"externalReference": {"value": "F0001"}, "customerNumber": {"value": "10001"}}'
SAYS = "VismaId: 0a1b2c3d-1111-2222-3333-444455556666. Error creating document. Error: The 01-2025 period is closed."
ENDS = ("close", "reset")
DOUBT = (Status.UNKNOWN, None)


def accepted(number: str, body: bytes = b"", **headers: str) -> bytes:
    """Write the answer to a create as the API does, with what stands around its Location."""
    address = f"https://api.finance.visma.net/v1/customerinvoice/{number}"
    return http(201, body, X_RateLimit_Remaining="812", Location=address, Content_Type="application/json", **headers)


def chunked(answer: bytes) -> bytes:
    """Return the answer with its body in two chunks."""
    head, _, body = answer.partition(b"\r\n\r\n")
    head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length"))
    parts = [part for part in (body[:7], body[7:]) if part]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def unmeasured(answer: bytes) -> bytes:
    """Return the answer with no length told, so that only the end of the connection ends it."""
    lines = [line for line in answer.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join(lines)


CREATED: dict[str, Callable[[str], bytes]] = {
    "empty": accepted,
    "body": lambda number: accepted(number, b'{"referenceNumber": "999999"}'),
    "chunked": lambda number: chunked(accepted(number, b'{"referenceNumber": "999999"}')),
    "unmeasured": lambda number: unmeasured(accepted(number, b'{"referenceNumber": "999999"}')),
}


def erp_error(status: int) -> bytes:
    """Write an answer in which the ERP says what is wrong."""
    return error(status, SAYS)


def sweep(server: FaultServer, deed: Deed, whole: bytes) -> Iterator[tuple[int, Verdict]]:
    """Cut an answer at each offset; yield each with the verdict that the program's own client comes to."""
    client = Client(server.base_url, timeout_s=(5, 5))
    session = Session(client)
    for cut in range(len(server.dress(whole)) + 1):
        server.script["F0001"] = [replace(deed, cut=cut)]
        yield cut, judge_create(session.write("POST", PATH, BODY), asked_number=None)
    client.close()


def head_length(server: FaultServer, whole: bytes) -> int:
    """Return how many bytes of an answer are its head."""
    return server.dress(whole).index(b"\r\n\r\n") + 4


def say(what: str, counts: Counter[str], wrong: list[Any]) -> None:
    """Print what a sweep counted; nothing may be wrong."""
    print(f"measured: byte sweep, {what}: {counts.total()} cuts, {dict(sorted(counts.items()))}, wrong {len(wrong)}")
    assert wrong == []


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", ["empty", "body", "chunked", "unmeasured"])
def test_a_201_cut_anywhere_is_in_doubt_or_has_the_right_number(form: str, end: Any) -> None:
    """Inside the head nothing is believed; after it the number is the ledger's, whatever became of the body."""
    made = CREATED[form]
    counts: Counter[str] = Counter()
    wrong = []
    with FaultServer() as server:
        whole = made("000000")
        head = head_length(server, whole)
        for cut, verdict in sweep(server, Deed(answer=made, end=end), whole):
            counts[str(verdict.status)] += 1
            right = (Status.ACCEPTED, server.ledger[-1].number)
            expected = {DOUBT} if cut < head else {right} if end == "close" else {right, DOUBT}
            if (verdict.status, verdict.number) not in expected:
                wrong.append((cut, verdict))

        assert len(server.writes) == len(server.ledger) == counts.total()

    say(f"201 {form}, {end}", counts, wrong)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("form", ["measured", "chunked", "unmeasured"])
def test_an_error_with_a_reason_cut_anywhere_rejects_nothing(form: str, status: int, end: Any) -> None:
    """Only a reason that came whole rejects; each shorter piece of it leaves the document in doubt."""
    whole = {"measured": bytes, "chunked": chunked, "unmeasured": unmeasured}[form](error(status, SAYS))
    counts: Counter[str] = Counter()
    wrong = []
    with FaultServer() as server:
        length, reason = len(server.dress(whole)), server.dress(whole).rindex(b"}") + 1
        for cut, verdict in sweep(server, Deed(answer=lambda _: whole, commits="never", end=end), whole):
            counts[str(verdict.status)] += 1
            allowed = {Status.UNKNOWN}
            if cut >= reason:
                must = cut == length and end == "close"
                allowed = {Status.REJECTED} if must else {Status.REJECTED, Status.UNKNOWN}
            says_so = "period is closed" in verdict.message
            if verdict.status not in allowed or verdict.number or says_so is (verdict.status is Status.UNKNOWN):
                wrong.append((cut, verdict))

        assert len(server.writes) == counts.total()

    say(f"{status} {form}, {end}", counts, wrong)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_an_answer_of_the_gate_cut_anywhere_turns_nothing_away(status: int, end: Any) -> None:
    """Turned away at the gate is what a whole head says; 503 says nothing at all."""
    whole = error(status, SAYS).replace(b"Content-Type", b"Retry-After: 7\r\nContent-Type")
    counts: Counter[str] = Counter()
    wrong = []
    with FaultServer() as server:
        head = head_length(server, whole)
        for cut, verdict in sweep(server, Deed(answer=lambda _: whole, commits="never", end=end), whole):
            counts[str(verdict.status)] += 1
            allowed = {Status.UNKNOWN}
            if cut >= head and status != 503:
                allowed = {Status.NOT_SENT} if end == "close" else {Status.NOT_SENT, Status.UNKNOWN}
            waits = verdict.wait_s if verdict.then is Then.AGAIN else 7
            if verdict.status not in allowed or verdict.number or waits != 7:
                wrong.append((cut, verdict))

    say(f"{status}, {end}", counts, wrong)


class Impatient(RawServer):
    """Read no more than a few bytes of a request, then end it."""

    def __init__(self, end: str) -> None:
        super().__init__(lambda *_: b"")
        self.most, self.end = 0, end

    def _read(self, connection: socket.socket) -> bytes:  # type: ignore[override]
        if connection.recv(4, socket.MSG_PEEK) == b"STOP":
            return b"STOP"
        consume(connection, self.most)
        END[self.end](connection)
        return b""


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("body", "step"), [(BODY, 1), (BODY[:-1] + b" " * 4_000_000 + b"}", 25)])
def test_a_request_cut_anywhere_is_in_doubt(body: bytes, step: int, end: str) -> None:
    """Once a connection stood nobody can tell what arrived: never not_sent, also when the body was still leaving."""
    counts: Counter[str] = Counter()
    with Impatient(end) as server:
        client = Client(server.base_url, timeout_s=(5, 5))
        for server.most in range(0, 200, step):
            verdict = judge_create(Session(client).write("POST", PATH, body), asked_number=None)
            counts[str(verdict.status)] += 1
        client.close()

    say(f"request of {len(body)} bytes, {end}", counts, [name for name in counts if name != "unknown"])


def one_line_rows(count: int) -> list[tuple[Any, ...]]:
    """Return the rows of as many invoices, each of one line."""
    return [row for row in invoice_rows(count) if row[3] != "Frakt"]


def sample(length: int) -> list[int]:
    """Return every fourth offset of an answer, and its last ones."""
    return sorted({*range(0, length + 1, 4), *range(length - 6, length + 1)})


@pytest.mark.parametrize("end", ENDS)
def test_whole_runs_with_cut_201s_end_with_each_document_once(tmp_path: Path, end: Any) -> None:
    """Each document's answer is cut at another byte; what no look-up shows stays in doubt, and later is found."""
    with FaultServer() as server:
        cuts = sample(len(server.dress(accepted("000000"))))
        project = make_project(tmp_path / "project", one_line_rows(len(cuts)))
        aim(project, server.base_url)
        server.script = {f"F{n:04}": [Deed(answer=accepted, cut=cut, end=end)] for n, cut in enumerate(cuts, start=1)}
        server.lags = True
        first = run_here(project, *TARGET, "--quiet")
        server.lags = False
        later = run_here(project, *TARGET, "--quiet")

        numbers = {document.reference: document.number for document in server.ledger}
        assert len(server.writes) == len(server.ledger) == len(numbers) == len(cuts)

    found = Counter(document["status"] for document in first.documents)
    wrong = [document for document in first.documents if document["number"] not in (None, numbers[document["key"]])]
    say(f"201 in whole runs, {end}", found, wrong)
    assert set(found) <= {"accepted", "unknown"}
    assert {document["key"]: document["number"] for document in later.documents} == numbers
    assert (first.code, later.code) == (5, 0)


@pytest.mark.parametrize("end", ENDS)
def test_whole_runs_with_cut_400s_reject_only_what_came_whole(tmp_path: Path, end: Any) -> None:
    """Nothing was committed but the last; the cut ones are in doubt, and sent once time has passed."""
    whole = error(400, SAYS)
    with FaultServer() as server:
        cuts = sample(len(server.dress(whole)))
        project = make_project(tmp_path / "project", one_line_rows(len(cuts) + 1))
        aim(project, server.base_url)
        deed = Deed(answer=lambda _: whole, commits="never", end=end)
        server.script = {f"F{n:04}": [replace(deed, cut=cut)] for n, cut in enumerate(cuts, start=1)}
        first = run_here(project, *TARGET, "--quiet")
        server.ahead_s = 700
        later = run_here(project, *TARGET, "--quiet")

        assert sorted(document.reference for document in server.ledger) == [d["key"] for d in first.documents]

    *cut, last, control = first.documents
    found = Counter(document["status"] for document in first.documents)
    say(f"400 in whole runs, {end}", found, [document for document in cut if document["status"] != "unknown"])
    assert last["status"] in ({"rejected"} if end == "close" else {"rejected", "unknown"})
    assert (control["status"], first.code, later.code) == ("accepted", 5, 0)
