"""What may be sent again: after 401 with another token, after 429 when the API wants it, and nothing else."""

import socket
import threading
import time
from pathlib import Path

import pytest
from end_to_end import TARGET, RawServer, aim, command, created, http, invoice_rows, make_project
from fault_server import Deed, FaultServer
from sessions import (
    CUSTOMERS,
    INVOICE,
    Answers,
    Clock,
    company,
    company_session,
    sent,
    session_with,
    status,
    target_at,
    token_answer,
    writes,
)

from importer.api.client import Answer, Client, NoAnswer
from importer.api.session import Session
from importer.api.wait import seconds_to_wait
from importer.sandbox import Fault


def asked(session: Session) -> int:
    """Return how many tokens were asked for."""
    return session.tokens.asked if session.tokens else 0


def test_a_401_renews_the_token_once(tmp_path: Path) -> None:
    """The same request goes out again with another token; a second 401 is the answer."""
    fault = Fault(match="POST customerinvoice", kind="401", nth=1)
    with company(tmp_path, require_token=True, faults=(fault,)) as box, company_session(box) as session:
        assert (sent(session), asked(session)) == (201, 2)
        box.faults.clear()
        box.faults.append(Fault(match="POST customerinvoice", kind="401"))
        assert (sent(session), asked(session)) == (401, 3)

        assert writes(box) == [401, 201, 401, 401]


def test_a_token_that_ends_during_a_run_is_renewed(tmp_path: Path) -> None:
    """The API's own clock decides; what it refuses for that is sent again once, and nothing is doubled."""
    now = [time.time()]
    with company(tmp_path, clock=lambda: now[0], require_token=True) as box, company_session(box) as session:
        for number in range(6):
            now[0] += 3600 if number == 3 else 1
            assert sent(session) == 201

        assert asked(session) == 2
        assert writes(box) == [201, 201, 201, 401, 201, 201, 201]


def test_no_other_token_is_an_end_without_a_byte_processed() -> None:
    """When the renewal is refused, the request was not processed: it says so, and why."""
    answers = iter([token_answer(), http(401), http(400, b'{"error": "invalid_client"}')])
    with Answers(lambda _n, _r: next(answers)) as server, session_with(target_at(server.base_url)) as session:
        result = session.write("POST", "/v1/customerinvoice", INVOICE)

    assert isinstance(result, NoAnswer)
    assert (result.sent, result.final) == (False, True)
    assert "the client id or the secret is wrong" in result.reason


def test_each_request_carries_its_own_body_and_nothing_of_the_one_before() -> None:
    """A thread's requests differ in body, length, token, version and method, whatever went before."""
    asked = [
        ("POST", "/v1/customerinvoice", b'{"a": "a longer body"}', {"Authorization": "Bearer one"}),
        ("POST", "/v1/customerinvoice", b"{}", {"Authorization": "Bearer one"}),
        ("GET", "/v1/customerinvoice", None, {"Authorization": "Bearer one"}),
        ("POST", "/v1/customerinvoice", b"[]", {"Authorization": "Bearer two"}),
        ("PUT", "/v1/customerinvoice/1", b"[1]", {"If-Match": '"v1"'}),
        ("PUT", "/v1/customerinvoice/1", b"[2]", {}),
        ("POST", "/v1/customerinvoice/1/action/release", None, {}),
        ("POST", "/v1/customerinvoice", b"[3]", {"Authorization": "Bearer one"}),
    ]
    with Answers(lambda *_: http(200, b"{}")) as server:
        client = Client(server.base_url, timeout_s=(5, 5))
        for method, path, body, headers in asked:
            assert isinstance(client.exchange(method, path, body, headers), Answer)
        client.close()

    for (method, path, body, headers), request in zip(asked, server.requests, strict=True):
        head, _, content = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        told = dict(line.split(": ", 1) for line in lines)
        own = {name: told[name] for name in ("Authorization", "If-Match", "Content-Type") if name in told}
        typed = {"Content-Type": "application/json; charset=utf-8"} if body else {}
        assert (first, content, own) == (f"{method} {path} HTTP/1.1", body or b"", {**headers, **typed})
        assert told.get("Content-Length") == (None if method == "GET" else str(len(content)))


def test_the_head_and_the_body_of_a_request_leave_in_one_piece() -> None:
    """With many workers another one's turn may come between two pieces, while the API already waits."""
    body = b'{"a": 1}'
    pieces = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while piece := connection.recv(65_536):
                    pieces.append(piece)
                    if piece.endswith(body):
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=(5, 5))
        for _ in range(20):
            assert isinstance(client.exchange("POST", "/v1/customerinvoice", body), Answer)
        client.close()
        thread.join(10)

    assert not thread.is_alive(), "the connection was not closed"
    assert len(pieces) == 20
    assert all(piece.startswith(b"POST ") and piece.endswith(body) for piece in pieces)


def test_a_429_waits_and_sends_the_same_request_again(tmp_path: Path) -> None:
    """It waits as long as the API says, then the same goes out; the document is there once."""
    clock = Clock()
    faults = (
        Fault(match="POST customerinvoice", kind="429", nth=1, retry_after_s=7),
        Fault(match="GET customer", kind="429", nth=1, retry_after_s=9),
    )
    with company(tmp_path, faults=faults) as box, company_session(box, wait=clock.wait) as session:
        assert sent(session) == 201
        assert status(session.read(CUSTOMERS)) == 200
        log = [(logged.status, logged.query, logged.body) for logged in box.requests_log]

    assert clock.waits == [7.0, 9.0]
    assert [entry[0] for entry in log] == [429, 201, 429, 200]
    assert log[0][1:] == log[1][1:]
    assert log[2][1:] == log[3][1:]


@pytest.mark.parametrize(
    ("told", "waits"),
    [
        ({"Retry_After": "2"}, [2.0, 2.0, 2.0, 2.0]),
        ({"Retry_After": "1"}, [1.0, 1.0, 1.0, 2.0]),
        ({"retry_after": "9" * 400}, [75.0] * 4),
        ({"Retry_After": "Mon, 27 Jan 2025 12:00:30 GMT", "Date": "Mon, 27 Jan 2025 12:00:00 GMT"}, [30.0] * 4),
        ({"Retry_After": "soon"}, [0.25, 0.5, 1.0, 2.0]),
        ({}, [0.25, 0.5, 1.0, 2.0]),
    ],
)
def test_a_read_that_failed_is_tried_again_when_it_was_told_to(told: dict[str, str], waits: list[float]) -> None:
    """A 503 names the time to wait before a read goes again; without one the waits grow, and none is endless."""
    clock = Clock()
    with (
        Answers(lambda *_: http(503, **told)) as server,
        session_with(target_at(server.base_url), tokens=False, wait=clock.wait) as session,
    ):
        assert status(session.read("/v1/customer")) == 503
        assert len(server.requests) == 5

    assert clock.waits == waits


def test_a_maintenance_shorter_than_it_was_told_costs_no_run(tmp_path: Path) -> None:
    """The run begins once the API can be read again."""
    answered: list[float] = []

    class Maintained(RawServer):
        def _reply(self, request: bytes) -> bytes:
            if request.startswith(b"GET ") and len(answered) < 2:
                answered.append(time.monotonic())
                return http(503, Retry_After="2")
            return super()._reply(request)

    project = make_project(tmp_path / "project", invoice_rows(1))
    with Maintained(lambda *_: created("000001")) as server:
        aim(project, server.base_url)
        code, _, err = command("run", "mapping.yaml", *TARGET, cwd=project)

    assert code == 0
    assert answered[1] - answered[0] >= 2.0
    assert "asking again in 2 s" in err
    assert "request limit" not in err


def test_a_wait_for_a_host_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    """Not every wait is for the API's request limit."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    with FaultServer() as server:
        aim(project, server.base_url)

        def be_gone(_server: FaultServer) -> None:
            server.leave()
            threading.Timer(1.5, server.come_back).start()

        server.script["F0001"] = [Deed(end="close", meanwhile=be_gone)]
        code, _, err = command("run", "mapping.yaml", *TARGET, "--workers", "1", cwd=project)

        assert (code, len(server.ledger)) == (0, 2)
    assert "asking again in 4 s" in err
    assert "request limit" not in err


def test_a_stop_while_it_waits_ends_without_sending(tmp_path: Path) -> None:
    """Ctrl-C during a wait for the window sends nothing more, neither a write nor a read."""
    with company(tmp_path, limit_per_hour=1) as box, company_session(box, wait=lambda _seconds: True) as session:
        assert status(session.read(CUSTOMERS)) == 200
        assert session.turn() is False
        result = session.read(CUSTOMERS)
        assert len(box.requests_log) == 1

    assert isinstance(result, NoAnswer)
    assert result.sent is False
    assert "stopped by hand" in result.reason


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "12"}, 12.0),
        ({"retry-after": " 12 ", "X-RateLimit-Reset": "40"}, 12.0),
        ({"X-RateLimit-Reset": "40"}, 40.0),
        ({"Retry-After": "999999"}, 3600.0),
        ({"Retry-After": "9" * 5000}, 3600.0),
        ({"X-RateLimit-Reset": "9" * 5000}, 3600.0),
        ({"Retry-After": "Mon, 27 Jan 2025 12:00 +9999999999", "Date": "Mon, 27 Jan 2025 12:00:00 GMT"}, 60.0),
        ({"Retry-After": "Mon, 27 Jan 2025 12:00:30 GMT", "Date": "Mon, 27 Jan 2025 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "soon"}, 60.0),
        ({}, 60.0),
    ],
)
def test_how_long_a_429_wants_us_to_wait(headers: dict[str, str], seconds: float) -> None:
    """Whole seconds, a date against the server's own clock, the window's end, or a minute."""
    assert seconds_to_wait(Answer(status=429, headers=headers, body=b"", whole=True)) == seconds
