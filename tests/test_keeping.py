"""A journal is carried as JSON lines, examined, and asked for what was run; a network share is no place for it."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections import namedtuple
from contextlib import closing
from dataclasses import dataclass
from json import dumps, loads
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
import sqlalchemy as sa
from databases import BOTH, journal_on, rows_of
from end_to_end import MAPPING, attempts, command, environment, invoice_rows, make_project, run_here, write_workbook

from importer.errors import JournalError
from importer.journal import open_journal
from importer.journal.shares import kind_of

Mount = namedtuple("Mount", "mountpoint fstype opts")
MOUNTS = [
    Mount("/", "ext4", "rw"),
    Mount("/mnt/office", "cifs", "rw,vers=3.0"),
    Mount("/mnt/office/local", "ext4", "rw"),
    Mount("/home/kari/nas", "nfs4", "rw"),
    Mount("/home/kari/ssh", "fuse.sshfs", "rw"),
    Mount("/home/kari/plain", "fuse.ext2", "rw"),
]


@dataclass
class Carried:
    """Hold a project whose three invoices were sent, and its journal as lines."""

    project: Path
    lines: Path

    def give(self, *arguments: str | Path) -> tuple[int, str]:
        """Give a command in the project; return its exit code and all that it said."""
        code, out, err = command(*arguments, cwd=self.project)
        return code, " ".join((out + err).split())


@pytest.fixture
def carried(tmp_path: Path) -> Carried:
    made = Carried(make_project(tmp_path / "project", invoice_rows(3)), tmp_path / "journal.jsonl")
    assert run_here(made.project).code == 0
    assert made.give("journal", "export", made.lines)[0] == 0
    return made


@pytest.mark.parametrize("database", BOTH)
def test_a_journal_is_carried_whole(carried: Carried, tmp_path: Path, database: str) -> None:
    """On another machine the same documents are known: the next run there sends nothing."""
    with journal_on(database, tmp_path) as where:
        assert carried.give("journal", "import", carried.lines, "--journal", where)[0] == 0
        ran = run_here(carried.project, "--journal", where)
        again = tmp_path / "again.jsonl"
        carried.give("journal", "import", carried.lines, "--journal", where)
        assert carried.give("journal", "export", again, "--journal", where)[0] == 0

    assert (ran.code, ran.counts) == (0, {"already_accepted": 3})
    first = carried.lines.read_text(encoding="utf-8").splitlines()[1:-1]
    assert set(first) <= set(again.read_text(encoding="utf-8").splitlines())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such file modes")
def test_only_its_owner_can_read_an_exported_journal(carried: Carried) -> None:
    """It holds what the API answered."""
    assert stat.S_IMODE(carried.lines.stat().st_mode) == 0o600


def test_importing_twice_changes_nothing(carried: Carried) -> None:
    """Also into the journal it came from."""
    before = attempts(carried.project)

    for _ in range(2):
        code, said = carried.give("journal", "import", carried.lines)
        assert (code, said) == (0, "New: 0 runs, 0 attempts, 0 results. Brought up to date: 0.")

    assert attempts(carried.project) == before


def test_what_was_settled_later_counts(carried: Carried, tmp_path: Path) -> None:
    """A document that the other machine left in doubt is accepted after the import, in its report too; never back."""
    old = tmp_path / "old.db"
    assert carried.give("journal", "import", carried.lines, "--journal", old)[0] == 0
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("UPDATE attempt SET state = 'sending', settled_at = NULL, number = NULL WHERE key = 'F0002'")
        db.execute("UPDATE result SET status = 'unknown', number = NULL WHERE key = 'F0002'")
    stale = tmp_path / "stale.jsonl"
    assert carried.give("journal", "export", stale, "--journal", old)[0] == 0

    assert carried.give("journal", "import", stale)[1].endswith("Brought up to date: 0.")
    code, said = carried.give("journal", "import", carried.lines, "--journal", old)

    assert (code, said) == (0, "New: 0 runs, 0 attempts, 0 results. Brought up to date: 2.")
    with rows_of(str(old)) as db:
        states = db.execute(sa.text("SELECT state FROM attempt")).scalars().all()
        statuses = db.execute(sa.text("SELECT status FROM result")).scalars().all()
    assert (set(states), set(statuses)) == ({"accepted"}, {"accepted"})


def test_an_older_copy_takes_back_nothing_that_was_settled_since(carried: Carried, tmp_path: Path) -> None:
    """What was in doubt when it was exported, and was found not to be there since, is not in doubt again."""
    here = str(carried.project / ".visma-import" / "journal.db")
    with closing(sqlite3.connect(here)) as db, db:
        db.execute("UPDATE attempt SET state = 'unknown', settled_at = '2020-01-01' WHERE key = 'F0002'")
        db.execute("UPDATE result SET status = 'unknown', number = NULL WHERE key = 'F0002'")
    older, newer = tmp_path / "older.jsonl", tmp_path / "newer.jsonl"
    assert carried.give("journal", "export", older)[0] == 0
    with closing(sqlite3.connect(here)) as db, db:
        db.execute("UPDATE attempt SET state = 'not_sent', settled_at = '2020-01-02' WHERE key = 'F0002'")
        db.execute("UPDATE result SET status = 'not_sent' WHERE key = 'F0002'")
    assert carried.give("journal", "export", newer)[0] == 0
    there = str(tmp_path / "there.db")

    assert carried.give("journal", "import", older)[1].endswith("Brought up to date: 0.")
    assert carried.give("journal", "import", older, "--journal", there)[0] == 0
    assert carried.give("journal", "import", newer, "--journal", there)[1].endswith("Brought up to date: 2.")

    for journal in (here, there):
        with rows_of(journal) as db:
            assert db.execute(sa.text("SELECT status FROM result WHERE key = 'F0002'")).scalars().all() == ["not_sent"]


def test_a_value_may_hold_what_ends_a_line_in_unicode(carried: Carried, tmp_path: Path) -> None:
    """Line separators of other worlds, as in a text copied from a web page, are no ends of lines here."""
    with closing(sqlite3.connect(carried.project / ".visma-import" / "journal.db")) as db, db:
        db.execute("UPDATE result SET message = ?", ("one\u2028two\u0085three\u2029four",))
    lines, there = tmp_path / "lines.jsonl", str(tmp_path / "there.db")
    assert carried.give("journal", "export", lines)[0] == 0

    assert carried.give("journal", "import", lines, "--journal", there)[0] == 0

    with rows_of(there) as db:
        assert set(db.execute(sa.text("SELECT message FROM result")).scalars()) == {"one\u2028two\u0085three\u2029four"}


def test_an_export_that_cannot_be_written_leaves_nothing_and_says_what_to_do(carried: Carried, tmp_path: Path) -> None:
    """Where a folder has the name: exit 3 with the next step, and no part of the journal is left beside it."""
    taken = tmp_path / "exports" / "taken"
    taken.mkdir(parents=True)

    code, said = carried.give("journal", "export", taken)

    assert (code, "cannot be written" in said, "run again" in said) == (3, True, True)
    assert [file.name for file in taken.parent.iterdir()] == ["taken"]


def test_two_journals_that_both_sent_a_document_are_not_merged(carried: Carried, tmp_path: Path) -> None:
    """That is told with the keys, and nothing of it is taken."""
    other = tmp_path / "other.db"
    assert run_here(carried.project, "--journal", str(other)).code in {0, 4}
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("DELETE FROM attempt")
        db.execute(
            "INSERT INTO attempt (uid, run_id, company, endpoint, key, fingerprint, identity, repeatable, state, "
            "claimed_at, expect) SELECT 'mine', run_id, company, endpoint, 'F0003', 'f', 'F0003', 0, 'unknown', "
            "started_at, '' FROM run"
        )
    before = list(rows(other))

    code, said = carried.give("journal", "import", carried.lines, "--journal", other)

    assert (code, "at 1 documents" in said, "F0003" in said) == (3, True, True)
    assert list(rows(other)) == before


def rows(file: Path) -> list[tuple[str, int]]:
    """Count what a journal holds."""
    with rows_of(str(file)) as db:
        return [
            (name, int(db.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar() or 0))
            for name in ("run", "attempt", "result")
        ]


def test_merged_attempts_stand_in_the_order_of_their_claims(tmp_path: Path) -> None:
    """An older attempt that comes in later is not taken for the latest: A, B here and A there means B is known."""
    mapping = "version: 1\nendpoint: customer.update\nworkbook: {file: invoices.xlsx}\nkey: No\nfields: {name: Name}\n"
    project = make_project(tmp_path / "project", [], mapping)
    lines = tmp_path / "first.jsonl"
    for name in ("Alfa", "Beta"):
        write_workbook(project / "invoices.xlsx", [("10001", name)], ("No", "Name"))
        assert run_here(project).counts == {"accepted": 1}
        if name == "Alfa":
            assert command("journal", "export", lines, cwd=project)[0] == 0
    with closing(sqlite3.connect(project / ".visma-import" / "journal.db")) as db, db:
        db.execute("DELETE FROM attempt WHERE attempt_id = 1")

    assert command("journal", "import", lines, cwd=project)[0] == 0

    assert run_here(project).counts == {"already_accepted": 1}
    write_workbook(project / "invoices.xlsx", [("10001", "Alfa")], ("No", "Name"))
    assert run_here(project).counts == {"accepted": 1}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: lines[:-1], "not whole"),
        (lambda lines: [*lines[:3], *lines[4:]], "not whole"),
        (lambda lines: lines[1:], "no exported journal"),
        (lambda lines: ['{"journal": "visma-import journal", "format": 99}', *lines[1:]], "format 99"),
        (lambda lines: [lines[0], "{", *lines[1:]], "line 2"),
        (lambda lines: [lines[0], '{"table": "users", "row": {}}', *lines[1:]], "line 2"),
        (lambda lines: [lines[0], '{"table": "run", "row": {"run_id": "x", "evil": 1}}', *lines[1:]], "line 2"),
        (lambda lines: [lines[0], '{"table": "attempt", "row": {"uid": "x"}}', *lines[1:]], "line 2"),
        (lambda lines: [*lines[:-2], lines[-2].replace('"run_id": "', '"run_id": "no-'), lines[-1]], "contradicts"),
        (lambda _lines: [], "not whole"),
        (lambda _lines: ["[]"], "no exported journal"),
    ],
)
def test_what_is_no_whole_export_is_refused(carried: Carried, spoil: object, said: str) -> None:
    """A cut, foreign or newer file changes nothing."""
    lines = carried.lines.read_text(encoding="utf-8").splitlines()
    carried.lines.write_text("\n".join(spoil(lines)), encoding="utf-8")  # type: ignore[operator]

    code, told = carried.give("journal", "import", carried.lines)

    assert (code, said in told, "Traceback" in told) == (3, True, False)


def test_a_sound_journal_is_called_sound(carried: Carried) -> None:
    """With what it holds."""
    assert carried.give("journal", "check") == (0, "The journal is sound: 1 run, 3 attempts, 3 results.")
    code, out, _ = command("journal", "check", "--json", cwd=carried.project)
    assert (code, loads(out)["counts"]) == (0, {"run": 1, "attempt": 3, "result": 3})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP INDEX one_live_attempt", "guard"),
        ("DELETE FROM result WHERE position = 1", "rows"),
        ("UPDATE attempt SET run_id = 'nobody' WHERE key = 'F0001'", "belongs to no run"),
    ],
)
def test_a_journal_that_lacks_something_is_not_called_sound(carried: Carried, damage: str, said: str) -> None:
    """A guard, rows or runs that are missing are named, with exit code 3."""
    with closing(sqlite3.connect(carried.project / ".visma-import" / "journal.db")) as db, db:
        db.execute(damage)

    code, told = carried.give("journal", "check")

    assert (code, said in told) == (3, True)


def test_the_history_shows_only_what_is_asked_for(carried: Carried) -> None:
    """By mapping, target, day, status, document and number of runs."""
    project = carried.project
    (project / "mapping.yaml").write_text(MAPPING.replace("name: invoices", "name: others"), encoding="utf-8")
    write_workbook(project / "invoices.xlsx", [*invoice_rows(3), ("F0009", "99999", "2025-01-27", "Nobody's", 1, 1)])
    (project / "mapping.yaml").write_text(
        MAPPING.replace("name: invoices", "name: others").replace(
            "documentDate: Date", "documentDate: {column: Date, format: yyyy-mm-dd}"
        ),
        encoding="utf-8",
    )
    assert run_here(project).code == 4

    def listed(*arguments: str) -> list[str]:
        code, out, _ = command("history", "--json", *arguments, cwd=project)
        assert code == 0
        return [entry["mapping"] for entry in loads(out)]

    assert listed() == ["others", "invoices"]
    assert listed("--mapping", "invoices") == ["invoices"]
    assert listed("--mapping", "mapping.yaml") == ["others", "invoices"]
    assert listed("--target", "sandbox", "--limit", "1") == ["others"]
    assert listed("--target", "production") == []
    assert listed("--since", "2020-01-01") == ["others", "invoices"]
    assert listed("--since", "2999-01-01") == []
    assert listed("--status", "rejected") == ["others"]
    assert listed("--key", "F0009") == ["others"]
    assert listed("--key", "F0001") == ["others", "invoices"]
    code, out, _ = command("history", "--key", "F0001", cwd=project)
    assert (code, "F0001: already_accepted as" in out, "F0001: accepted as" in out) == (0, True, True)


def test_a_run_that_is_going_keeps_others_from_merging(carried: Carried) -> None:
    """What a live process holds in its hands is not renumbered under it."""
    file = carried.project / ".visma-import" / "journal.db"
    with closing(sqlite3.connect(file)) as db, db:
        (run_id,) = db.execute("SELECT run_id FROM run").fetchone()
        db.execute("UPDATE run SET finished_at = NULL")
    owner = (
        "import sys, time\nfrom importer.journal import open_journal\n"
        "with open_journal(sys.argv[1]).alive(sys.argv[2]):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", owner, str(file), run_id],
        stdout=subprocess.PIPE,
        env=environment(carried.project),
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        refused = carried.give("journal", "import", carried.lines)
        process.kill()
        process.wait(10)

    assert (refused[0], "is going" in refused[1]) == (3, True)
    assert carried.give("journal", "import", carried.lines)[0] == 0


@pytest.mark.parametrize(
    ("place", "share"),
    [
        ("/mnt/office/journal", "cifs at /mnt/office"),
        ("/mnt/office", "cifs at /mnt/office"),
        ("/mnt/office/local/journal", ""),
        ("/mnt/officer/journal", ""),
        ("/home/kari/nas/deep/down", "nfs4 at /home/kari/nas"),
        ("/home/kari/ssh/x", "fuse.sshfs at /home/kari/ssh"),
        ("/home/kari/plain/x", ""),
        ("/home/kari", ""),
    ],
)
def test_a_network_share_is_told_from_a_disk(place: str, share: str) -> None:
    """The innermost mount counts."""
    assert kind_of(PurePosixPath(place), MOUNTS) == share


def test_a_network_drive_of_windows_is_told_from_a_disk() -> None:
    """Windows calls it remote."""
    drives = [Mount("C:\\", "NTFS", "rw,fixed"), Mount("Z:\\", "", "rw,remote")]

    assert kind_of(PureWindowsPath("Z:\\import\\journal.db"), drives) == "remote at Z:\\"
    assert kind_of(PureWindowsPath("C:\\import\\journal.db"), drives) == ""


def test_a_journal_on_a_network_path_is_refused_with_the_reason() -> None:
    """Nothing is made there, and the message names the ways out."""
    with pytest.raises(JournalError, match=r"network share.*sent twice.*--journal.*PostgreSQL"):
        open_journal("//server/office/journal.db")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mysql://root:hidden@127.0.0.1/x", "not 'mysql'"),
        ("postgresql+psycopg://kari:hidden@127.0.0.1:1/x", "Check its address"),
        ("postgresql://kari:hidden@127.0.0.1:many/x", "cannot be read"),
        ("postgresql+psycopg://kari@127.0.0.1:1/x?password=hidden", "Check its address"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_its_password(carried: Carried, where: str, said: str) -> None:
    """Exit 3, what to write instead, and nothing was sent."""
    before = attempts(carried.project)
    code, told = carried.give("run", "mapping.yaml", "--journal", where)

    assert (code, said in told, "hidden" in told, "Traceback" in told) == (3, True, False, False)
    assert attempts(carried.project) == before


def test_an_exported_line_is_json_with_a_table_and_its_row(carried: Carried) -> None:
    """So that other programs can read it."""
    lines = [loads(line) for line in carried.lines.read_text(encoding="utf-8").splitlines()]

    assert lines[0] == {"journal": "visma-import journal", "format": 3}
    assert [line["table"] for line in lines[1:-1]] == ["run", *["attempt"] * 3, *["result"] * 3]
    assert lines[-1] == loads(dumps({"end": 7}))
