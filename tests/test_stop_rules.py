"""What ends a run early, with several workers: it stops, says why, exits truthfully, and the next run completes it."""

import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from databases import BOTH, journal_on, needs_postgresql, rows_of
from end_to_end import Ran, error, http, import_into, make_project
from fault_server import Deed, FaultServer
from firm import BLIND, WRITE, Firm, keys, open_firm, wait_for
from test_parallel import invoices

from importer.sandbox import Fault

WORKERS = 4
COUNT = 40
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Firm]:
    with open_firm("sqlite", tmp_path, invoices(COUNT, COUNT)) as opened:
        yield opened


def see_the_rest_sent(firm: Firm) -> None:
    """Without faults the next runs complete the workbook: each document is there once."""
    firm.finish()
    assert firm.held == keys(COUNT)


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "licence, role or scope"), (401, "did not accept the credentials")],
)
def test_a_refused_client_stops_all_workers_with_nothing_in_doubt(tmp_path: Path, status: int, said: str) -> None:
    """403, and 401 with a token that was just renewed: what is in flight is finished, nothing else is tried; exit 6."""
    make_project(tmp_path / "project", invoices(COUNT, COUNT))
    with FaultServer() as server:
        times = 1 if status == 403 else 2
        for key in keys(COUNT)[10:]:
            server.script[key] = [Deed(commits="never", answer=lambda _: http(status))] * times
        ran = import_into(tmp_path / "project", server.base_url, workers=WORKERS)
        tried = {write.reference for write in server.writes}
        server.script.clear()
        again = import_into(tmp_path / "project", server.base_url, workers=WORKERS)
        there = sorted(document.reference for document in server.ledger)

    assert (ran.code, ran.counts) == (6, {"accepted": 10, "not_sent": COUNT - 10})
    assert 11 <= len(tried) <= 10 + WORKERS
    assert said in ran.results["stopped"]
    assert (again.code, there) == (0, keys(COUNT))


def test_one_401_renews_the_token_and_stops_nothing(firm: Firm) -> None:
    """Only the second 401 in a row means that the client is not let in."""
    firm.box.faults.append(Fault(match=WRITE, kind="401", nth=5))
    ran = firm.run(workers=WORKERS)

    assert (ran.code, ran.counts) == (0, {"accepted": COUNT})
    assert firm.writes == COUNT + 1


def gone_after(server: FaultServer, then: Callable[[], object]) -> None:
    """Let the server be gone once it has read the first document of each worker; they are still answered."""

    def leave() -> None:
        server.leave()
        then()

    gate = threading.Barrier(WORKERS, leave)
    for key in keys(COUNT):
        wait = (lambda _server: gate.wait(20)) if key <= f"F{WORKERS:04}" else None
        server.script[key] = [Deed(end="close", meanwhile=wait)]


@pytest.mark.parametrize("tries", [1, 2])
def test_a_host_that_is_gone_ends_the_run_after_as_many_tries_as_are_allowed(tmp_path: Path, tries: int) -> None:
    """`--max-unreachable N`: the run waits between tries, then stops with exit 6 and nothing in doubt."""
    make_project(tmp_path / "project", invoices(COUNT, COUNT))
    gone_at: list[float] = []
    with FaultServer() as server:
        gone_after(server, lambda: gone_at.append(time.monotonic()))
        options = ["--max-unreachable", str(tries)]
        ran = import_into(tmp_path / "project", server.base_url, workers=WORKERS, options=options)
        took = time.monotonic() - gone_at[0]
        server.mend(None)
        again = import_into(tmp_path / "project", server.base_url, workers=WORKERS)
        there = sorted(document.reference for document in server.ledger)

    assert (ran.code, ran.counts) == (6, {"accepted": WORKERS, "not_sent": COUNT - WORKERS})
    assert "the connection was refused" in ran.results["stopped"]
    assert took >= (1 if tries == 2 else 0)
    assert (again.code, there) == (0, keys(COUNT))


def test_a_host_that_comes_back_in_time_stops_nothing(tmp_path: Path) -> None:
    """A document whose connection was refused is tried again, under a claim of its own."""
    make_project(tmp_path / "project", invoices(COUNT, COUNT))
    with FaultServer() as server:
        gone_after(server, lambda: threading.Timer(0.5, server.come_back).start())
        ran = import_into(tmp_path / "project", server.base_url, workers=WORKERS)
        there = sorted(document.reference for document in server.ledger)

    assert (ran.code, ran.counts) == (0, {"accepted": COUNT})
    assert there == keys(COUNT)


def test_as_many_equal_rejections_in_a_row_as_are_allowed_stop_all_workers(tmp_path: Path) -> None:
    """`--max-same-rejections 5`, counted in the order of the workbook; those in flight are finished; exit 6."""
    make_project(tmp_path / "project", invoices(COUNT, COUNT))
    with FaultServer() as server:
        for key in keys(COUNT)[10:]:
            said = f"Customer '{key}' is not known. Error {int(key[1:])}."
            server.script[key] = [Deed(commits="never", answer=lambda _, said=said: error(400, said))]  # type: ignore[misc]
        options = ["--max-same-rejections", "5"]
        ran = import_into(tmp_path / "project", server.base_url, workers=WORKERS, options=options)
        tried = len(server.writes)

    assert ran.code == 6
    assert ran.counts == {"accepted": 10, "rejected": tried - 10, "not_sent": COUNT - tried}
    # one that is slow to be answered parts those around it
    assert 15 <= tried <= 10 + 5 * WORKERS
    assert re.search(r"The same rejection \d+ times in a row", ran.results["stopped"])


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_after_five_doubtful_ends_in_a_row_an_api_that_cannot_be_read_stops_the_run(firm: Firm, workers: int) -> None:
    """Nothing more is sent, the run says why and exits 5; later all is settled by looking, each document once."""
    firm.box.faults.extend([Fault(match=WRITE, kind="cut_after"), BLIND])
    ran = firm.run(workers=workers)

    assert (ran.code, ran.counts["unknown"]) == (5, firm.writes)
    assert 5 <= firm.writes <= 4 + workers
    assert "documents in a row ended in doubt" in ran.results["stopped"]
    see_the_rest_sent(firm)


@pytest.mark.parametrize("kind", ["cut_after", "cut_before"])
def test_after_five_doubtful_ends_in_a_row_a_run_whose_reads_are_answered_goes_on(firm: Firm, kind: str) -> None:
    """Doubt alone stops nothing: the API is read once for each five, and at the end each doubt is looked up."""
    firm.box.faults.append(Fault(match=WRITE, kind=kind))  # type: ignore[arg-type]
    before = len(firm.box.requests_log)
    ran = firm.run()
    asked = [entry for entry in firm.box.requests_log[before:] if entry.query == "pageNumber=1&pageSize=1"]

    assert firm.writes == COUNT
    assert ran.results["stopped"] == ""
    assert len(asked) >= COUNT // 5
    assert ran.counts == ({"accepted": COUNT} if kind == "cut_after" else {"unknown": COUNT})


def break_journal(where: str) -> None:
    """Take away the table in which claims are written down."""
    with rows_of(where) as connection:
        connection.execute(sa.text("ALTER TABLE attempt RENAME TO away"))
        connection.commit()


def mend_journal(where: str) -> None:
    with rows_of(where) as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO attempt"))
        connection.commit()


def completed(project: Path, server: FaultServer, where: str) -> list[str]:
    """Let time pass and run until nothing is left to do; return what the server committed."""
    server.script.clear()
    server.ahead_s += 700
    for _ in range(3):
        ran = import_into(project, server.base_url, workers=WORKERS, options=["--journal", where])
    assert ran.code == 0, ran.documents
    return sorted(document.reference for document in server.ledger)


@pytest.mark.parametrize("database", BOTH)
def test_a_journal_that_fails_with_documents_in_flight_stops_all_workers_with_5(tmp_path: Path, database: str) -> None:
    """What was in flight is in doubt, nothing else leaves, and the next runs complete the rest without a double."""
    project = make_project(tmp_path / "project", invoices(COUNT, COUNT))
    with FaultServer() as server, journal_on(database, tmp_path) as where:
        gate = threading.Barrier(WORKERS, lambda: break_journal(where))
        for key in keys(WORKERS):
            server.script[key] = [Deed(meanwhile=lambda _server: gate.wait(20))]
        ran = import_into(project, server.base_url, workers=WORKERS, options=["--journal", where])
        sent = len(server.writes)
        mend_journal(where)
        there = completed(project, server, where)

    assert (ran.code, sent) == (5, WORKERS)
    assert there == keys(COUNT)


@pytest.mark.parametrize("database", BOTH)
def test_a_journal_that_fails_with_nothing_in_flight_stops_all_workers_with_6(tmp_path: Path, database: str) -> None:
    """While all of them wait for the limit nothing is in doubt, and nothing leaves without a claim."""
    project = make_project(tmp_path / "project", invoices(COUNT, COUNT))
    with FaultServer() as server, journal_on(database, tmp_path) as where:
        gate = threading.Barrier(WORKERS)
        away = Deed(commits="never", answer=lambda _: http(429, Retry_After="3"), meanwhile=lambda _: gate.wait(20))
        for key in keys(WORKERS):
            server.script[key] = [away]
        watch = threading.Thread(target=break_when_idle, args=(where,))
        watch.start()
        ran = import_into(project, server.base_url, workers=WORKERS, options=["--journal", where])
        watch.join(20)
        sent = len(server.writes)
        mend_journal(where)
        there = completed(project, server, where)

    assert (ran.code, sent) == (6, WORKERS)
    assert there == keys(COUNT)


def break_when_idle(where: str) -> None:
    """Break the journal once all workers were turned away."""

    def idle() -> bool:
        try:
            with rows_of(where) as connection:
                found = connection.execute(sa.text("SELECT count(*) FROM attempt WHERE state = 'not_sent'")).scalar()
        except sa.exc.DatabaseError:
            # the program has not made the tables yet
            return False
        return found == WORKERS

    wait_for(idle)
    break_journal(where)


@needs_postgresql
def test_a_journals_server_that_goes_away_with_documents_in_flight_stops_all_workers_with_5(tmp_path: Path) -> None:
    """No connection, and none can be made again: the run ends truthfully, and later nothing is doubled or lost."""
    project = make_project(tmp_path / "project", invoices(COUNT, COUNT))
    with FaultServer() as server, journal_on("postgresql", tmp_path) as where:
        gate = threading.Barrier(WORKERS, lambda: shut(where, "false"))
        for key in keys(WORKERS):
            server.script[key] = [Deed(meanwhile=lambda _server: gate.wait(20))]
        ran = import_into(project, server.base_url, workers=WORKERS, options=["--journal", where])
        sent = len(server.writes)
        shut(where, "true")
        there = completed(project, server, where)

    assert (ran.code, sent) == (5, WORKERS)
    assert there == keys(COUNT)


def shut(where: str, allowed: str) -> None:
    """Let nobody into a database, and throw out who is in; or let them in again."""
    url = sa.make_url(where)
    with rows_of(url.set(database="postgres").render_as_string(hide_password=False)) as connection:
        own = connection.execution_options(isolation_level="AUTOCOMMIT")
        own.exec_driver_sql(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS {allowed}')
        own.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
            {"name": url.database},
        )


def interrupt(firm: Firm, times: int, delay_s: float) -> tuple[Ran, float]:
    """Press Ctrl-C while as many documents are in flight as there are workers; return how the run ended, and when."""
    firm.box.faults.append(Fault(match=WRITE, kind="hang", delay_s=delay_s))
    with firm.running(workers=WORKERS) as process:
        wait_for(lambda: len(firm.held) == WORKERS)
        started = time.monotonic()
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        ran = firm.ended(process)
    return ran, time.monotonic() - started


@POSIX
@pytest.mark.parametrize("database", BOTH)
def test_ctrl_c_finishes_all_documents_in_flight(tmp_path: Path, database: str) -> None:
    """All four in flight are waited for and accepted, no other is sent; exit 6, and the next run completes."""
    with open_firm(database, tmp_path, invoices(COUNT, COUNT)) as firm:
        ran, _ = interrupt(firm, 1, 4)

        assert (ran.code, ran.counts) == (6, {"accepted": WORKERS, "not_sent": COUNT - WORKERS})
        assert "Stopping after the documents in flight" in ran.stderr
        assert firm.writes == WORKERS
        see_the_rest_sent(firm)


@POSIX
@pytest.mark.parametrize("database", BOTH)
def test_a_second_ctrl_c_leaves_all_documents_in_flight_in_doubt(tmp_path: Path, database: str) -> None:
    """The answers are not waited for: exit 5 with four in doubt, which the next run finds; nothing is sent twice."""
    with open_firm(database, tmp_path, invoices(COUNT, COUNT)) as firm:
        ran, took = interrupt(firm, 2, 30)

        assert (ran.code, ran.counts) == (5, {"unknown": WORKERS, "not_sent": COUNT - WORKERS})
        assert took < 25
        see_the_rest_sent(firm)
        assert firm.writes == COUNT
