"""Two runs on one journal that change the same thing: never at once, and never past what may yet be carried out."""

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from json import loads
from pathlib import Path
from threading import Barrier

import pytest
from databases import BOTH, journal_on, rows_of
from end_to_end import Ran, run_here, write_workbook
from firm import Firm, open_firm
from killing import Killer
from records import NOW, outcome, record
from struck import killer
from test_doubts import RENAME

from importer.journal import AlreadyClaimed, Attempt, Journal, open_journal
from importer.model import Document, RunRecord, Status

__all__ = ["killer"]
RUNS = [replace(record(f"run{number}"), endpoint="customer.update") for number in range(10)]


@pytest.fixture(params=BOTH)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with journal_on(request.param, tmp_path) as named:
        yield named


@pytest.fixture
def journal(where: str) -> Iterator[Journal]:
    opened = open_journal(where)
    for run in RUNS:
        opened.start_run(run, [outcome("10001")])
    yield opened
    opened.close()


def change(journal: Journal, run: RunRecord, content: str, looked_after: int = 0) -> int | Attempt:
    """Claim a change of customer 10001; return the attempt that stands in its way, if one does."""
    document = Document(key="10001", rows=(2,), identity="10001", fingerprint=content * 64, repeatable=True)
    try:
        return journal.claim(run, document, outcome("10001"), NOW, NOW, looked_after)
    except AlreadyClaimed as error:
        return error.attempt


@pytest.mark.parametrize("content", ["a", "b"])
def test_a_change_that_a_live_run_has_in_hand_cannot_be_claimed(journal: Journal, where: str, content: str) -> None:
    """Neither other content nor the same, however well it is known; once it is settled, both."""
    other = open_journal(where)
    with journal.alive("run0"):
        first = change(journal, RUNS[0], "a")
        assert isinstance(first, int)
        refused = change(other, RUNS[1], content, looked_after=first)
        journal.settle(RUNS[0], first, outcome("10001", status=Status.ACCEPTED), NOW)
        free = change(other, RUNS[1], content)
    other.close()

    assert isinstance(refused, Attempt)
    assert (refused.attempt_id, refused.run_id, refused.state) == (first, "run0", "sending")
    assert isinstance(free, int)


@pytest.mark.parametrize("settled", [False, True])
def test_what_a_dead_run_left_in_doubt_holds_other_content_only_until_it_was_looked_at(
    journal: Journal, where: str, settled: bool
) -> None:
    """The same may go again; other content goes once a plan knew of the doubt, and so had it waited for."""
    with journal.alive("run0"):
        first = change(journal, RUNS[0], "a")
        assert isinstance(first, int)
        if settled:
            journal.settle(RUNS[0], first, outcome("10001", status=Status.UNKNOWN), NOW)
    other = open_journal(where)
    refused = change(other, RUNS[1], "b")
    held = [isinstance(change(other, RUNS[1], content, after), Attempt) for content, after in (("b", first), ("a", 0))]
    other.close()

    assert isinstance(refused, Attempt)
    assert (refused.attempt_id, held) == (first, [False, False])


def test_of_ten_runs_at_once_one_gets_the_change(where: str, journal: Journal) -> None:
    """Whatever the moment; those that came too late are told of it."""
    journals = [open_journal(where) for _ in RUNS]

    def try_to_claim(run: RunRecord, own: Journal) -> int | Attempt:
        with own.alive(run.run_id):
            got = change(own, run, run.run_id[-1])
            # nobody ends before all have tried
            all_tried.wait(60)
            return got

    all_tried = Barrier(len(RUNS))
    with ThreadPoolExecutor(len(RUNS)) as pool:
        got = list(pool.map(try_to_claim, RUNS, journals))
    for own in journals:
        own.close()

    (winner,) = [one for one in got if isinstance(one, int)]
    assert {one.attempt_id for one in got if isinstance(one, Attempt)} == {winner}
    with rows_of(where) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM attempt").scalar() == 1


def test_a_run_goes_on_with_the_next_change_of_the_same_thing(journal: Journal) -> None:
    """Its own last one is settled together with the next claim, and does not stand in its way."""
    with journal.alive("run0"):
        first = change(journal, RUNS[0], "a")
        assert isinstance(first, int)
        journal.settle(RUNS[0], first, outcome("10001", status=Status.ACCEPTED), NOW, wait=False)
        assert isinstance(change(journal, RUNS[0], "b"), int)


def test_several_changes_are_claimed_at_once_save_those_in_somebody_elses_hand(journal: Journal, where: str) -> None:
    """Claims that go along in one transaction are each judged by themselves."""
    other = open_journal(where)
    other.start_run(replace(RUNS[0], run_id="many", rows_read=20), [outcome(f"{key}", key) for key in range(20)])
    many = replace(RUNS[0], run_id="many")

    def try_to_claim(key: int) -> bool:
        own = Document(key=f"{key}", rows=(2,), identity=f"{key}", fingerprint="a" * 64, repeatable=True)
        try:
            other.claim(many, own, outcome(f"{key}", key), NOW, NOW)
        except AlreadyClaimed as error:
            return error.attempt.run_id != "run0"
        return True

    with journal.alive("run0"), other.alive("many"), ThreadPoolExecutor(20) as pool:
        for key in ("3", "7"):
            document = Document(key=key, rows=(2,), identity=key, fingerprint="a" * 64, repeatable=True)
            journal.claim(RUNS[0], document, outcome(key), NOW, NOW)
        got = list(pool.map(try_to_claim, range(20)))
    other.close()

    assert [key for key, free in enumerate(got) if not free] == [3, 7]
    with rows_of(where) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM attempt").scalar() == 20


def rename(firm: Firm, name: str, book: str) -> list[str]:
    """Write a workbook that gives customer 10001 a name; return the options that run it."""
    (firm.project / "mapping.yaml").write_text(RENAME, encoding="utf-8")
    write_workbook(firm.project / book, [("10001", name)], ("No", "Name"))
    return ["run", "mapping.yaml", book, "--yes", "--quiet", *firm.told]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize("database", BOTH)
def test_two_runs_never_change_the_same_customer_at_once(killer: Killer, tmp_path: Path, database: str) -> None:
    """What the one has in hand the other does not send, and sends when it is run again."""
    with open_firm(database, tmp_path, 1) as firm:
        beta = rename(firm, "Beta", "b.xlsx")
        late = killer.start("call Journal.claim 1 stop", [*beta, "--report", "late"], firm.project)
        late.wait_until_frozen()
        owner = killer.start("call Session.write 1 stop", rename(firm, "Alfa", "a.xlsx"), firm.project)
        owner.wait_until_frozen()
        late.strike(signal.SIGCONT)
        refused = Ran(late.wait(), firm.project / "late")
        owner.strike(signal.SIGCONT)
        ended = owner.wait()
        writes = firm.writes
        again = run_here(firm.project, *beta[2:])
        bodies = [entry.body for entry in firm.box.requests_log if entry.method == "PUT"]

    assert (refused.code, refused.counts, ended, writes) == (5, {"unknown": 1}, 0, 1)
    assert "this run sent nothing" in refused.documents[0]["message"]
    assert (again.code, again.counts) == (0, {"accepted": 1})
    assert [loads(body)["name"]["value"] for body in bodies] == ["Alfa", "Beta"]
