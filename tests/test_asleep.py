"""A machine that sleeps between two documents: time has passed for the server, and nobody is to conclude from it."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from end_to_end import attempts, http, invoice_rows, make_project
from fault_bench import Bench
from fault_server import Deed, FaultServer
from sessions import Answers, session_with, status, target_at

from importer.api.session import Session

SLEPT_S = 7200


def test_a_document_sent_after_a_sleep_is_not_taken_for_an_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim bears the time after the sleep, so that "not there" has to wait as long as always."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    with FaultServer() as server:
        bench = Bench(project, str(project / ".visma-import" / "journal.db"), server)
        bench.aim()

        def clocks() -> tuple[float, float]:
            if not server.ahead_s and ("F0001", "accepted") in attempts(project):
                server.ahead_s = SLEPT_S
            return time.monotonic(), time.time() + server.ahead_s

        monkeypatch.setattr("importer.cli.connection.Session", partial(Session, clocks=clocks))
        server.script["F0002"] = [Deed(commits="late", cut=0, end="close")]
        ran = bench.run("--workers", "1")

        assert [document["status"] for document in ran.documents] == ["accepted", "unknown"]
        assert server.ahead_s == SLEPT_S
        bench.hold("F0002")
        server.commit_late()
        bench.run_to_the_end(after_s=0)
        assert server.arrivals("F0002") == 1


def test_the_server_s_time_is_bounded_from_both_sides() -> None:
    """What decides is never ahead of the server after a sleep, what a claim bears never behind it."""
    told = datetime(2025, 1, 27, 12, tzinfo=UTC)
    now = [100.0, 5000.0]
    answer = http(200, b"[]", Date="Mon, 27 Jan 2025 12:00:00 GMT")
    with (
        Answers(lambda *_: answer) as server,
        session_with(target_at(server.base_url), tokens=False, clocks=lambda: (now[0], now[1])) as session,
    ):
        assert status(session.read("/v1/customer")) == 200
        now[:] = [110.0, 5010.0 + SLEPT_S]
        assert session.server_now() == told + timedelta(seconds=10)
        assert session.server_latest() == told + timedelta(seconds=10 + SLEPT_S)
        # somebody set the clock back
        now[:] = [120.0, 1420.0]
        assert session.server_now() == session.server_latest() == told + timedelta(seconds=20)


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 27 Jan 2025 12:00 +9999999999", "soon", ""])
def test_a_date_that_is_no_server_s_time_is_passed_over(date: str) -> None:
    """Whatever stands there, the time goes by our own clock."""
    with (
        Answers(lambda *_: http(200, b"[]", Date=date)) as server,
        session_with(target_at(server.base_url), tokens=False) as session,
    ):
        assert status(session.read("/v1/customer")) == 200
        for found in (session.server_now(), session.server_latest()):
            assert abs(found - datetime.now(UTC)) < timedelta(minutes=1)
