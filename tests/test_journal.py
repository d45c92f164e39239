"""The journal is private, refuses what it cannot trust, and lets nobody claim a document twice."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from end_to_end import RawServer, created, environment, http, import_into, invoice_rows, make_project, program, run

from importer.errors import JournalError
from importer.journal import AlreadyClaimed, Journal, open_journal
from importer.model import Document, Outcome, RunRecord, Status, Total

NOW = "2025-01-27T10:00:00.000Z"
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such file modes")


def record(run_id: str = "run1", company: str = "company") -> RunRecord:
    return RunRecord(
        run_id=run_id,
        started_at=NOW,
        finished_at=None,
        exit_code=None,
        mapping_name="invoices",
        mapping_file="mapping.yaml",
        endpoint="customerInvoice.create",
        workbook_name="invoices.xlsx",
        workbook_sha256="0" * 64,
        sheet="Invoices",
        header_row=1,
        target="sandbox",
        company=company,
        simulated=True,
        rows_read=2,
        totals=(Total(name="Net", column="Amount", sum=Decimal("0.10"), expect=None),),
    )


def outcome(key: str = "F0001", position: int = 0, status: Status = Status.NOT_SENT) -> Outcome:
    return Outcome(position=position, key=key, status=status, rows=(2 + position,))


def claim(journal: Journal, of: RunRecord, content: str) -> int:
    """Claim F0001 with a body that has this fingerprint."""
    document = Document(key="F0001", rows=(2,), identity="F0001", fingerprint=content * 64)
    return journal.claim(of, document, outcome(), NOW, NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "private" / "journal.db"


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    opened = open_journal(file)
    opened.start_run(record(), [outcome(), outcome("F0002", 1)])
    yield opened
    opened.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def rows(file: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as db, db:
        return db.execute(sql).fetchall()


@POSIX
def test_only_its_owner_can_read_the_journal(journal: Journal, file: Path) -> None:
    """The file is 0600 and its new folder 0700, whatever the umask was."""
    claim(journal, record(), "a")

    assert (mode(file), mode(file.parent)) == (0o600, 0o700)


@POSIX
def test_the_projects_private_folder_is_closed_to_others(tmp_path: Path) -> None:
    """Journal, sandbox and copies of workbooks lie in 0700, also where the folder was open before."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    (project / ".visma-import").mkdir(mode=0o755)
    run(project)

    private = project / ".visma-import"
    assert mode(private) == 0o700
    files = [path for path in private.rglob("*") if path.is_file() and path.name != ".gitignore"]
    assert {path.name: mode(path) & 0o077 for path in files if path.suffix in {".db", ".xlsx"}} == {
        path.name: 0 for path in files if path.suffix in {".db", ".xlsx"}
    }
    assert {"journal.db"} < {path.name for path in files}


@POSIX
def test_a_journal_that_others_can_read_is_closed_to_them(journal: Journal, file: Path) -> None:
    """Opening tightens the mode that a copy or a careless umask left."""
    file.chmod(0o644)
    open_journal(file).close()

    assert mode(file) == 0o600


def test_a_newer_format_is_refused(journal: Journal, file: Path) -> None:
    """The message says both formats and what to do; nothing is changed."""
    rows(file, "UPDATE meta SET value = '99' WHERE name = 'format'")
    with pytest.raises(JournalError, match=r"format 99.*up to 2.*Update visma-import"):
        open_journal(file)

    assert rows(file, "SELECT value FROM meta") == [("99",)]


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Its tables stay as they are."""
    file = tmp_path / "other.db"
    rows(file, "CREATE TABLE customers (name TEXT)")
    with pytest.raises(JournalError, match="another program"):
        open_journal(file)

    assert rows(file, "SELECT name FROM sqlite_master") == [("customers",)]


@pytest.mark.parametrize("content", [b"This is no database at all. " * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """The message says that it is damaged; the file keeps every byte."""
    file = tmp_path / "journal.db"
    file.write_bytes(content)
    with pytest.raises(JournalError, match="damaged or no journal"):
        open_journal(file)

    assert file.read_bytes() == content


def test_a_run_with_a_damaged_journal_sends_nothing(tmp_path: Path) -> None:
    """Exit 3, one sentence, and an untouched sandbox."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    (tmp_path / "broken.db").write_bytes(b"This is no database at all. " * 100)
    done = program("run", "mapping.yaml", "--journal", tmp_path / "broken.db", cwd=project)

    assert done.returncode == 3
    assert "damaged or no journal" in done.stderr
    assert not (project / "reports").exists()


def test_a_journal_that_cannot_be_written_is_refused_with_advice(tmp_path: Path) -> None:
    """Nothing is sent without a journal, and the message names the way out."""
    (tmp_path / "file").write_text("a file, no folder")
    for impossible in (tmp_path / "file" / "journal.db", tmp_path):
        with pytest.raises(JournalError, match=r"cannot be written.*nothing is sent.*--journal"):
            open_journal(impossible)


@POSIX
def test_a_journal_in_a_read_only_folder_is_refused_with_advice(tmp_path: Path) -> None:
    """Permissions are a reason as any other."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(JournalError, match=r"permission denied.*--journal"):
        open_journal(tmp_path / "closed" / "journal.db")


def test_there_is_no_journal_before_the_first_run(tmp_path: Path) -> None:
    """Reading commands make none."""
    with pytest.raises(JournalError, match="first 'visma-import run' makes it"):
        open_journal(tmp_path / "journal.db", create=False)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", [None, Status.ACCEPTED, Status.UNKNOWN])
def test_a_live_document_cannot_be_claimed_again(journal: Journal, file: Path, state: Status | None) -> None:
    """In flight, accepted or in doubt: another connection is refused and told by whom."""
    first = claim(journal, record(), "a")
    if state:
        journal.settle(record(), first, replace(outcome(status=state), number="000001"), NOW)
    other = open_journal(file)
    other.start_run(record("run2"), [outcome()])
    with pytest.raises(AlreadyClaimed) as refused:
        claim(other, record("run2"), "b")
    other.close()

    found = refused.value.attempt
    assert (found.attempt_id, found.run_id, found.fingerprint) == (first, "run1", "a" * 64)
    assert found.state == (state.value if state else "sending")
    assert rows(file, "SELECT COUNT(*) FROM attempt") == [(1,)]


def test_another_process_cannot_claim_a_live_document(journal: Journal, file: Path) -> None:
    """The guard is in the file, not in the process."""
    claim(journal, record(), "a")
    script = (
        "import sys; from pathlib import Path; from test_journal import *; from test_journal import open_journal\n"
        "other = open_journal(Path(sys.argv[1])); other.start_run(record('run2'), [outcome()])\n"
        "try:\n    claim(other, record('run2'), 'b')\n"
        "except AlreadyClaimed as error:\n    print('refused', error.attempt.run_id)\n"
        "other.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)],
        env=environment(file.parent),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "refused run1\n", done.stderr


def test_of_ten_threads_one_gets_the_claim(file: Path, journal: Journal) -> None:
    """Whatever the moment, the index lets one through."""
    journals = [open_journal(file) for _ in range(10)]

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


def test_what_was_settled_survives_closing_and_opening(journal: Journal, file: Path) -> None:
    """Run, totals, outcome and attempt are read back as they were written."""
    attempt = claim(journal, record(), "a")
    settled = replace(
        outcome(status=Status.ACCEPTED), number="000001", http_status=201, message="It is “there”.", sent_at=NOW
    )
    journal.settle(record(), attempt, settled, NOW, "evidence")
    ended = replace(record(), finished_at=NOW, exit_code=6, stopped="Stopped by hand.")
    journal.finish_run(ended)
    journal.close()
    again = open_journal(file)
    (live,) = again.live_attempts("company", "customerInvoice.create")
    found = again.run("run1"), again.outcomes("run1"), again.runs()
    again.close()

    assert found[0] == ended
    assert found[1] == [settled, outcome("F0002", 1)]
    assert found[2] == [(ended, {Status.ACCEPTED: 1, Status.NOT_SENT: 1})]
    assert (live.state, live.number, live.settled_at, live.fingerprint) == ("accepted", "000001", NOW, "a" * 64)


def test_the_owners_word_counts_over_the_doubt_of_another_run(journal: Journal, file: Path) -> None:
    """A settlement that comes after another run called the claim in doubt is not lost."""
    attempt = claim(journal, record(), "a")
    rows(file, "UPDATE attempt SET state = 'unknown'")
    journal.settle(record(), attempt, replace(outcome(status=Status.ACCEPTED), number="7"), NOW)

    assert rows(file, "SELECT state, number FROM attempt") == [("accepted", "7")]


def test_every_connection_keeps_what_makes_a_commit_durable(journal: Journal) -> None:
    """Rollback journal, synchronous EXTRA, foreign keys, on each connection of the pool."""
    found = []
    with journal._engine.connect() as one, journal._engine.connect() as two:
        for connection in (one, two):
            found.append(
                [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "synchronous", "foreign_keys")
                ]
            )
            connection.rollback()
            break
        two.rollback()

    assert found == [["delete", 3, 1]]


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


def test_the_journal_holds_the_key_and_what_the_api_said_but_no_customer_data(tmp_path: Path) -> None:
    """A name, text and price of the sheet are in no byte of the journal; what the API answered is, for support."""
    planted = [("F0001", "10001", date(2025, 1, 27), "Planted Bjørkelund", 3, Decimal("4711.47"))]
    project = make_project(tmp_path / "project", planted)
    said = b'{"message": "Said by the API."}'
    with RawServer(lambda number, _: http(400, said) if number == 0 else created("000777")) as server:
        import_into(project, server.base_url)
        import_into(project, server.base_url)

        assert b"Planted Bj" in server.requests[0]
    content = (project / ".visma-import" / "journal.db").read_bytes()

    assert b"F0001" in content
    assert b"Said by the API." in content
    assert b"customerinvoice/000777" in content
    for secret in (b"Planted", "Bjørkelund".encode(), b"4711.47", b"externalReference"):
        assert secret not in content
