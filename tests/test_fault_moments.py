"""Faults whose moment needs a hand: late commits, work in the background, answers that name another document."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import Any

import pytest
from databases import BOTH, journal_on
from end_to_end import TARGET, Ran, RawServer, command, environment, error, http, make_project
from fault_bench import Bench
from fault_server import Deed, FaultServer
from test_fault_matrix import KEY, KEYS, REASON, ROWS, says

from importer.api.client import Client
from importer.api.session import Session
from importer.api.verdict import judge_create
from importer.model import Status

JOB = "0a1b2c3d-1111-2222-3333-444455556666"
STATE = f"/v1/background/{JOB}"


@pytest.fixture(params=BOTH)
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Make a project with an empty journal that imports into a server without a fault."""
    with journal_on(request.param, tmp_path) as journal, FaultServer() as server:
        made = Bench(make_project(tmp_path / "project", ROWS), journal, server)
        made.aim()
        yield made


def once_each(bench: Bench) -> None:
    """See that the ledger holds the whole workbook, each document once."""
    assert sorted(document.reference for document in bench.server.ledger) == KEYS


@pytest.mark.parametrize("runs_before", [0, 2])
def test_a_document_committed_after_the_time_out_is_found_and_not_sent_again(bench: Bench, runs_before: int) -> None:
    """However many runs come before the late commit, no byte goes out for it, and then it is found."""
    bench.aim("timeout: 1")
    bench.server.script[KEY] = [Deed(commits="late", cut=0, end="hang")]
    ran = bench.run()
    assert (ran.code, ran.document(KEY)["status"]) == (5, "unknown")

    for _ in range(runs_before):
        bench.server.ahead_s += 200
        assert bench.hold(KEY).code == 5
    bench.server.commit_late()

    assert bench.run_to_the_end(after_s=0)[0].document(KEY)["status"] == "already_accepted"
    assert bench.server.arrivals(KEY) == 1
    once_each(bench)


@pytest.mark.parametrize(("answered", "code", "status"), [(500, 0, "already_accepted"), (400, 4, "changed")])
def test_a_reason_that_is_not_true_never_doubles_a_document(
    bench: Bench, answered: int, code: int, status: str
) -> None:
    """A reason, the document being there all the same: the next run finds it; after a 400 a person decides."""
    bench.server.script[KEY] = [Deed(answer=says(error(answered, REASON)))]
    ran = bench.run()
    assert (ran.code, ran.document(KEY)["status"]) == (4, "rejected")

    later = bench.run()

    assert (later.code, later.document(KEY)["status"]) == (code, status)
    assert later.document(KEY)["number"] == bench.server.numbers(KEY)[0]
    if code:
        word = ("--key", KEY, "--accepted", "--yes", "--target", "test", "--journal", bench.journal)
        assert command("resolve", *word, cwd=bench.project)[0] == 0
    bench.run_to_the_end()
    assert bench.server.arrivals(KEY) == 1
    once_each(bench)


def state(code: int, *, status: str = "Finished", **headers: str) -> bytes:
    """Write how far a background request is."""
    told: dict[str, Any] = {"id": JOB, "status": status, "statusCode": code, "responseHeaders": headers}
    told["hasResponseContent"] = code == 400
    return http(200, dumps(told).encode(), Content_Type="application/json")


def taken_on(_number: str) -> bytes:
    """Answer that a request was taken on, to be carried out later."""
    address = f"https://api.example{STATE}"
    return http(202, dumps({"id": JOB, "stateLocation": address}).encode(), Content_Type="application/json")


def address(number: str) -> str:
    """Return the Location of a document."""
    return f"https://api.example/v1/customerinvoice/{number}"


@pytest.mark.parametrize(
    ("commits", "states", "status", "code"),
    [
        ("now", [state(201, Location=address("000002"))], "accepted", 0),
        ("now", [state(0, status="Started"), state(201, location=address("000002"))], "accepted", 0),
        ("now", [state(201)], "accepted", 0),
        ("now", [state(0, status="Failed")], "accepted", 0),
        ("now", [state(500)], "accepted", 0),
        ("never", [state(400)], "rejected", 4),
        ("never", [state(0, status="Failed")], "unknown", 5),
        ("never", [http(404)], "unknown", 5),
        ("never", [state(429)], "not_sent", 6),
    ],
    ids=["201", "started, 201", "201 without Location", "failed, there", "500, there", "400", "failed", "gone", "429"],
)
def test_a_background_request_is_judged_by_its_end(
    bench: Bench, commits: Any, states: list[bytes], status: str, code: int
) -> None:
    """What 202 promised counts only once its state says how it ended; what that leaves open is looked up."""
    left = list(states)
    bench.server.jobs[STATE] = lambda: left.pop(0) if len(left) > 1 else left[0]
    bench.server.jobs[f"{STATE}/content"] = lambda: http(200, dumps({"message": REASON}).encode())
    bench.server.script[KEY] = [Deed(commits=commits, answer=taken_on)]

    ran = bench.run("--workers", "1")

    assert (ran.document(KEY)["status"], ran.code) == (status, code), ran.document(KEY)
    bench.run_to_the_end()
    once_each(bench)


def run_stopped_at_the_first_look(bench: Bench) -> Ran:
    """Run the program as a process, and press Ctrl-C as soon as it asks how far a background request is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "importer", "run", "mapping.yaml", *TARGET, *("--journal", bench.journal)],
        cwd=bench.project,
        env=environment(bench.project),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    asked = threading.Event()
    bench.server.jobs[STATE] = lambda: asked.set() or state(0, status="Started")  # type: ignore[func-returns-value]
    assert asked.wait(30)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert "Traceback" not in printed
    return Ran(process.returncode, next((bench.project / "reports").iterdir()))


def its_work_ends_and_is_found(bench: Bench) -> None:
    """Let a background request come to its end: the document has its number, and was sent but once."""
    bench.server.commit_late()
    number = bench.server.numbers(KEY)[0]
    bench.server.jobs[STATE] = lambda: state(201, Location=address(number))

    assert bench.run_to_the_end(after_s=0)[0].document(KEY)["number"] == number
    assert bench.server.arrivals(KEY) == 1
    once_each(bench)


def test_a_background_request_still_at_work_is_waited_for_however_long(bench: Bench) -> None:
    """No time that passes lets the document go again before the work has ended, also when the run was stopped."""
    bench.server.script[KEY] = [Deed(commits="late", answer=taken_on)]
    assert run_stopped_at_the_first_look(bench).document(KEY)["status"] == "unknown"

    for _ in range(2):
        bench.server.ahead_s += 700
        assert bench.hold(KEY).code == 5
    its_work_ends_and_is_found(bench)


@pytest.mark.parametrize("name", ["location", "LOCATION"])
def test_a_background_request_named_by_its_location_alone_is_followed(bench: Bench, name: str) -> None:
    """Whatever the casing of the header, its document is not sent again while the request is under way."""
    named = http(202, **{name: f"https://api.example{STATE}"})
    bench.server.script[KEY] = [Deed(commits="late", answer=says(named))]
    assert run_stopped_at_the_first_look(bench).document(KEY)["status"] == "unknown"

    options = ("--settle-after", "0", "--target", "test", "--journal", bench.journal)
    assert command("resolve", *options, cwd=bench.project)[0] == 5
    bench.hold(KEY)
    its_work_ends_and_is_found(bench)


class Spy(RawServer):
    """Note whatever arrives."""

    def _reply(self, request: bytes) -> bytes:
        self.requests.append(request)
        return http(200, b"[]")


def test_a_redirect_is_never_followed_nor_body_or_token_sent_on(bench: Bench) -> None:
    """The host that a redirect names hears nothing at all, and the document is in doubt."""
    with Spy(lambda *_: b"") as other:
        for status, key in ((307, "F0001"), (308, "F0002"), (302, "F0003")):
            elsewhere = http(status, Location=f"{other.base_url}/v1/customerinvoice")
            bench.server.script[key] = [Deed(answer=says(elsewhere), commits="never")]
        ran = bench.run()
        bench.run_to_the_end()

        assert other.requests == []

    assert [document["status"] for document in ran.documents[:3]] == ["unknown"] * 3
    assert [document["http_status"] for document in ran.documents[:3]] == [307, 308, 302]
    once_each(bench)


def test_a_host_that_comes_back_loses_nothing(bench: Bench) -> None:
    """A document that met a closed port is tried again, and the run goes on with it."""
    server = bench.server
    back = threading.Timer(0.3, server.come_back)

    def lose(_server: FaultServer) -> None:
        server.leave()
        back.start()

    server.script["F0001"] = [Deed(end="close", meanwhile=lose)]
    ran = bench.run("--workers", "1")

    back.join()
    assert (ran.code, {document["status"] for document in ran.documents}) == (0, {"accepted"})
    once_each(bench)


def test_no_token_on_the_way_stops_the_run_with_nothing_in_doubt(bench: Bench) -> None:
    """Before the first claim that is exit 3; later it is 6, and the next run sends the rest."""

    def refuse(server: FaultServer) -> None:
        server.no_token = http(400, b'{"error": "invalid_client"}')

    bench.server.script[KEY] = [Deed(answer=says(http(401)), commits="never", meanwhile=refuse)]
    ran = bench.run("--workers", "1")
    later = bench.run()

    assert (ran.code, ran.document(KEY)["status"]) == (6, "not_sent")
    assert (later.code, later.folder.exists()) == (3, False)
    bench.server.no_token = None
    bench.run_to_the_end()
    once_each(bench)


@pytest.mark.parametrize("when", ["at the start", "on the way"])
def test_a_name_that_is_not_known_leaves_nothing_in_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The machine's own resolver forgets the name: exit 3 before the first document, 6 after it."""
    server, resolve, lost = bench.server, socket.getaddrinfo, threading.Event()

    def forgetful(host: Any, *more: Any, **names: Any) -> Any:
        if host == "localhost" and lost.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *more, **names)

    monkeypatch.setattr(socket, "getaddrinfo", forgetful)
    bench.aim(host="localhost", token_host=server.base_url)
    server.script["F0001"] = [Deed(end="close", meanwhile=lambda _server: lost.set())]
    if when == "at the start":
        lost.set()

    ran = bench.run("--workers", "1", "--max-unreachable", "1")

    assert ran.code == (3 if when == "at the start" else 6)
    assert len(server.writes) == len(server.ledger) == (0 if when == "at the start" else 1)
    if ran.code == 6:
        assert "name is not known" in ran.results["stopped"]
        assert [document["status"] for document in ran.documents] == ["accepted", *["not_sent"] * 5]
    lost.clear()
    server.mend(None)
    bench.run_to_the_end()
    once_each(bench)


def test_an_answer_that_drips_without_end_does_not_hold_the_run_for_ever(bench: Bench) -> None:
    """Each byte comes in time, the last never: the program gives up, the document is in doubt, the others are sent."""
    bench.aim("timeout: 1")
    bench.server.script[KEY] = [Deed(answer=says(http(201, X_Endless="x" * 3_000)), drip_s=0.005, end="hang")]

    ran = bench.run()

    assert not bench.server.dripped_out, "it would have listened for ever"
    assert ran.document(KEY)["status"] == "accepted"
    bench.run_to_the_end()
    once_each(bench)


@pytest.mark.parametrize("tls", [True, False])
def test_a_host_that_never_greets_gets_nothing(tls: bool) -> None:
    """A handshake that is not answered in time leaves nothing in doubt; a silent plain host may have the request."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        scheme = "https" if tls else "http"
        client = Client(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", timeout_s=(0.5, 0.5))
        verdict = judge_create(Session(client).write("POST", "/v1/customerinvoice", b"{}"), asked_number=None)
        client.close()

    assert verdict.status is (Status.NOT_SENT if tls else Status.UNKNOWN)
