"""The journal is private, refuses what it cannot trust, and lets nobody claim a document twice."""

import os
import sqlite3
import stat
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from end_to_end import (
    RawServer,
    created,
    http,
    import_into,
    invoice_rows,
    make_project,
    program_here,
    run,
)
from records import claim, record

from importer.errors import JournalError
from importer.journal import Examination, Journal, open_journal

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such file modes")


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
    with pytest.raises(JournalError, match=r"format 99.*up to 3.*Update visma-import"):
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


def test_only_a_whole_file_passes_the_examination_before_it_is_opened(tmp_path: Path) -> None:
    """What does not pass, or is another file, is looked through when it is opened, and refused in plain words."""
    file = tmp_path / "a journal #1?.db"
    open_journal(file).close()
    sound = file.read_bytes()
    examined = Examination(file)

    assert (examined.passed(file), examined.passed(tmp_path / "other.db")) == (True, False)
    assert not Examination(tmp_path / "missing.db").passed(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
    # each page but the first begins with what it is; no page is of a kind 7
    for content in (b"This is no database at all. " * 100, sound[:4096] + b"\x07" + sound[4097:], sound[:-4096], b""):
        file.write_bytes(content)
        examined = Examination(file)
        assert examined.passed(file) is (not content), content[:20]
        if content:
            with pytest.raises(JournalError, match="damaged"):
                open_journal(file, examined=examined)
        assert file.read_bytes() == content


@pytest.mark.parametrize("option", [[], ["--journal", "elsewhere.db"]])
def test_a_run_refuses_a_journal_that_the_examination_found_damaged(tmp_path: Path, option: list[str]) -> None:
    """Exit 3, and the sandbox is as it was."""
    project = make_project(tmp_path / "project", invoice_rows(3))
    assert program_here("run", "mapping.yaml", *option, cwd=project).returncode == 0
    file = project / (option[-1] if option else ".visma-import/journal.db")
    data = bytearray(file.read_bytes())
    data[4096] = 7
    file.write_bytes(data)
    done = program_here("run", "mapping.yaml", *option, cwd=project)

    assert done.returncode == 3
    assert "is damaged" in done.stderr
    assert file.read_bytes() == data


def test_a_run_with_a_damaged_journal_sends_nothing(tmp_path: Path) -> None:
    """Exit 3, one sentence, and an untouched sandbox."""
    project = make_project(tmp_path / "project", invoice_rows(1))
    (tmp_path / "broken.db").write_bytes(b"This is no database at all. " * 100)
    done = program_here("run", "mapping.yaml", "--journal", tmp_path / "broken.db", cwd=project)

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
