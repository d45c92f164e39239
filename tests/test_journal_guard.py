"""Nobody claims a document twice, on either database: it is their unique index that says so."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from databases import BOTH, journal_on, rows_of
from end_to_end import environment
from journal_formats import back_to
from records import NOW, claim, outcome, record

from importer.errors import JournalError
from importer.journal import AlreadyClaimed, Journal, open_journal
from importer.model import Document, RunRecord, Status


@pytest.fixture(params=BOTH)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with journal_on(request.param, tmp_path) as named:
        yield named


@pytest.fixture
def journal(where: str) -> Iterator[Journal]:
    opened = open_journal(where)
    opened.start_run(record(), [outcome(), outcome("F0002", 1)])
    yield opened
    opened.close()


def asked(where: str, sql: str) -> list[Any]:
    """Ask a journal from outside, or change it."""
    with rows_of(where) as connection, connection.begin():
        found = connection.exec_driver_sql(sql)
        return [tuple(row) for row in found] if found.returns_rows else []


@pytest.mark.parametrize("state", [None, Status.ACCEPTED, Status.UNKNOWN])
def test_a_live_document_cannot_be_claimed_again(journal: Journal, where: str, state: Status | None) -> None:
    """In flight, accepted or in doubt: another connection is refused and told by whom."""
    first = claim(journal, record(), "a")
    if state:
        journal.settle(record(), first, replace(outcome(status=state), number="000001"), NOW)
    other = open_journal(where)
    other.start_run(record("run2"), [outcome()])
    with pytest.raises(AlreadyClaimed) as refused:
        claim(other, record("run2"), "b")
    other.close()

    found = refused.value.attempt
    assert (found.attempt_id, found.run_id, found.fingerprint) == (first, "run1", "a" * 64)
    assert found.state == (state.value if state else "sending")
    assert asked(where, "SELECT COUNT(*) FROM attempt") == [(1,)]


def test_another_process_cannot_claim_a_live_document(journal: Journal, where: str, tmp_path: Path) -> None:
    """The guard is in the file, not in the process."""
    claim(journal, record(), "a")
    script = (
        "import sys; from records import claim, outcome, record\n"
        "from importer.journal import AlreadyClaimed, open_journal\n"
        "other = open_journal(sys.argv[1]); other.start_run(record('run2'), [outcome()])\n"
        "try:\n    claim(other, record('run2'), 'b')\n"
        "except AlreadyClaimed as error:\n    print('refused', error.attempt.run_id)\n"
        "other.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, where],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "refused run1\n", done.stderr


def test_of_ten_threads_one_gets_the_claim(where: str, journal: Journal) -> None:
    """Whatever the moment, the index lets one through."""
    journals = [open_journal(where) for _ in range(10)]

    def try_to_claim(own: Journal) -> bool:
        try:
            claim(own, record(), "a")
        except AlreadyClaimed:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        got = list(pool.map(try_to_claim, journals))
    for own in journals:
        own.close()

    assert sorted(got) == [False] * 9 + [True]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.NOT_SENT])
def test_what_is_certainly_not_there_may_be_claimed_again(journal: Journal, status: Status) -> None:
    """A rejection or a request that never left frees the key."""
    first = claim(journal, record(), "a")
    journal.settle(record(), first, outcome(status=status), NOW)
    second = claim(journal, record(), "b")

    assert second > first


@pytest.mark.parametrize("other", [record("run2", company="other"), replace(record("run2"), endpoint="x.create")])
def test_another_company_or_endpoint_is_another_document(journal: Journal, other: RunRecord) -> None:
    """The identity is company, endpoint and key."""
    claim(journal, record(), "a")
    journal.start_run(other, [outcome()])

    assert claim(journal, other, "a") > 0


def test_what_was_settled_survives_closing_and_opening(journal: Journal, where: str) -> None:
    """Run, totals, outcome and attempt are read back as they were written."""
    attempt = claim(journal, record(), "a")
    settled = replace(
        outcome(status=Status.ACCEPTED), number="000001", http_status=201, message="It is “there”.", sent_at=NOW
    )
    journal.settle(record(), attempt, settled, NOW, "evidence")
    ended = replace(record(), finished_at=NOW, exit_code=6, stopped="Stopped by hand.")
    journal.finish_run(ended)
    journal.close()
    again = open_journal(where)
    (live,) = again.live_attempts("company", "customerInvoice.create")
    found = again.run("run1"), again.outcomes("run1"), again.runs()
    again.close()

    assert found[0] == ended
    assert found[1] == [settled, outcome("F0002", 1)]
    assert found[2] == [(ended, {Status.ACCEPTED: 1, Status.NOT_SENT: 1})]
    assert (live.state, live.number, live.settled_at, live.fingerprint) == ("accepted", "000001", NOW, "a" * 64)


def test_the_owners_word_counts_over_the_doubt_of_another_run(journal: Journal, where: str) -> None:
    """A settlement that comes after another run called the claim in doubt is not lost."""
    attempt = claim(journal, record(), "a")
    asked(where, "UPDATE attempt SET state = 'unknown'")
    journal.settle(record(), attempt, replace(outcome(status=Status.ACCEPTED), number="7"), NOW)

    assert asked(where, "SELECT state, number FROM attempt") == [("accepted", "7")]


def test_the_guard_is_a_unique_index_over_the_live_states(journal: Journal) -> None:
    """It holds company, endpoint and what identifies the document there."""
    indices = {index["name"]: index for index in sa.inspect(journal._engine).get_indexes("attempt")}

    assert indices["one_live_attempt"]["unique"]
    assert indices["one_live_attempt"]["column_names"] == ["company", "endpoint", "identity"]


def test_a_run_is_found_by_the_beginning_of_its_id_if_there_is_one_such(journal: Journal) -> None:
    """What is ambiguous or not there is refused; % and _ are no wildcards."""
    journal.start_run(record("run11"), [])

    assert journal.run("run11").run_id == "run11"
    assert journal.run("run1").run_id == "run1"
    for wrong in ("ru", "run2", "%", "run_"):
        with pytest.raises(JournalError, match="history"):
            journal.run(wrong)


@pytest.mark.parametrize("http_status", [500, 400])
def test_what_was_refused_with_500_meanwhile_is_claimed_only_after_it_was_looked_for(
    journal: Journal, where: str, http_status: int
) -> None:
    """Two runs at once: after such an answer the document may be there, and the other run looked before it came."""
    first = claim(journal, record(), "a")
    journal.settle(record(), first, replace(outcome(status=Status.REJECTED), http_status=http_status), NOW)
    document = Document(key="F0001", rows=(2,), identity="F0001", fingerprint="a" * 64)
    if http_status == 500:
        with pytest.raises(AlreadyClaimed) as refused:
            journal.claim(record(), document, outcome(), NOW, NOW)
        assert (refused.value.attempt.state, refused.value.attempt.attempt_id) == ("rejected", first)
        assert asked(where, "SELECT count(*) FROM attempt") == [(1,)]

    assert journal.claim(record(), document, outcome(), NOW, NOW, looked_after=first) > first


@pytest.mark.parametrize("older", [1, 2])
def test_a_journal_of_an_older_format_is_brought_up_to_date(journal: Journal, where: str, older: int) -> None:
    """What it knows guards as before, and every attempt has a name of its own."""
    first = claim(journal, record(), "a")
    uid = asked(where, "SELECT uid FROM attempt")[0][0] if older > 1 else f"run1-{first}"
    journal.close()
    for sql in back_to(older):
        asked(where, sql)

    again = open_journal(where)
    again.start_run(record("run2"), [outcome()])
    with pytest.raises(AlreadyClaimed) as refused:
        claim(again, record("run2"), "a")
    again.close()

    assert (refused.value.attempt.attempt_id, refused.value.attempt.uid) == (first, uid)
    assert asked(where, "SELECT value FROM meta WHERE name = 'format'") == [("3",)]
    assert asked(where, "SELECT count(*) FROM applied") == [(0,)]


def test_processes_that_open_an_empty_database_at_once_all_find_a_journal(where: str, tmp_path: Path) -> None:
    """One makes the tables, the others wait for it."""
    script = "import sys; from importer.journal import open_journal; open_journal(sys.argv[1]).close()"
    opening = [
        subprocess.Popen([sys.executable, "-c", script, where], env=environment(tmp_path), stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1].decode() for process in opening]

    assert [process.returncode for process in opening] == [0] * 4, said
    assert asked(where, "SELECT count(*) FROM meta WHERE name = 'format'") == [(1,)]
