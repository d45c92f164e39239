"""The program when the disk, the file, the lock or the clock of its journal fails.

It says what is so, nothing goes out without a claim on disk, and the next run completes each document once.
"""

import importlib.util
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from end_to_end import TARGET, aim, command, invoice_rows, program
from firm import WRITE, Firm, keys, wait_for

from importer.sandbox import Fault, Settings

resource: Any = pytest.importorskip("resource", reason="Windows has no such limits")
COUNT: Final = 12
#: Size of the small disk; what is left of it is counted in blocks.
DISK, BLOCK = 512 * 1024, 4096


class Company(Firm):
    """Serve a company to a project whose journal, where a project has it, is in trouble."""

    workers = 2

    def __init__(self, folder: Path) -> None:
        self.private = folder / "project" / ".visma-import"
        self.file = self.private / "journal.db"
        super().__init__(folder, str(self.file), Settings(), invoice_rows(COUNT))

    @property
    def told(self) -> list[str]:
        return list(TARGET[:2])

    def run_apart(self, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run the program to its end, in a process of its own."""
        ended = program(*self.arguments("--quiet", *options), cwd=self.project, **env)
        told_plainly(ended.stderr)
        return ended

    def in_flight(self, delay_s: float = 0.7) -> None:
        """Let each document from the fifth on wait for its answer, its work being done."""
        self.box.faults.extend(Fault(match=WRITE, kind="hang", nth=nth, delay_s=delay_s) for nth in range(5, COUNT + 1))

    def attempts(self) -> list[tuple[str, str]]:
        """Return key and state of every attempt, from outside, rolling back what a run left half done."""
        try:
            with closing(sqlite3.connect(self.file)) as db:
                return db.execute("SELECT key, state FROM attempt ORDER BY attempt_id").fetchall()
        except sqlite3.OperationalError:
            # no run has come as far as to make it
            return []

    def told_the_truth(self, code: int) -> None:
        """Hold an exit code against the company: 3 is nothing sent, 6 nothing in doubt, 0 everything there."""
        held, attempts = self.held, self.attempts()
        assert len(held) == len(set(held)), "a document is there twice"
        assert set(held) <= {key for key, _ in attempts}, "a document was sent without a claim on disk"
        doubtful = {key for key, state in attempts if state in {"sending", "unknown"}}
        assert code in {0, 3, 5, 6}
        assert not held or code != 3, "something was sent"
        assert not (set(held) & doubtful) or code == 5, "something is in doubt"
        assert held == keys(COUNT) or code != 0, "something is missing"

    def completes(self) -> None:
        """Run again, when whatever is in doubt may be settled: each document is there once."""
        self.finish(at_most=1)
        assert self.held == keys(COUNT)


def told_plainly(told: str, *steps: str) -> None:
    """Require a sentence without anything for programmers, which names one of these next steps."""
    assert "Traceback" not in told, told
    assert "has a bug" not in told, told
    assert not steps or any(step in told for step in steps), told


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    made = Company(tmp_path)
    with made.box:
        aim(made.project, made.box.base_url)
        yield made


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small disk of its own on a folder."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(disk: Path, left: int = 0) -> None:
    """Fill a disk but for some blocks."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(BLOCK)):
                pass
        except OSError:
            filler.truncate(filler.tell() // BLOCK * BLOCK - left * BLOCK)


@pytest.mark.parametrize("left", [0, 2, 8, 17, 20, 21, 22])
def test_a_full_disk_is_told_before_anything_goes_out_that_could_not_be_written_down(
    company: Company, left: int
) -> None:
    """However much room is left: what was sent was claimed, the exit code is true, and with room the rest follows."""
    with small_disk(company.private) as disk:
        fill(disk, left)
        ended = company.run_apart()

        company.told_the_truth(ended.returncode)
        told_plainly(ended.stderr, *["Make room on the disk"] * (ended.returncode != 0))
        (disk / "filler").unlink()
        company.completes()


def test_a_disk_that_fills_while_a_document_is_in_flight_leaves_it_in_doubt(company: Company) -> None:
    """Its outcome cannot be written: the run exits 5 and says why, and the next one finds the document."""
    company.in_flight()
    with small_disk(company.private) as disk:
        with company.running() as process:
            # of two workers each has one in flight, so that no commit is going on that would give room back
            wait_for(lambda: company.writes >= 6)
            time.sleep(0.2)
            fill(disk)
            told = process.communicate(timeout=60)[1]

        assert process.returncode == 5
        told_plainly(told, "Make room on the disk")
        (disk / "filler").unlink()
        company.told_the_truth(5)
        company.completes()


def test_a_disk_that_can_only_be_read_is_refused_and_nothing_goes_out(company: Company) -> None:
    """A journal that is there but cannot be written is as good as none: exit 3."""
    with small_disk(company.private) as disk:
        company.run_apart("--limit", "3")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        ended = company.run_apart()

        assert (ended.returncode, company.held) == (3, keys(3))
        told_plainly(ended.stderr, "cannot be written")
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        company.completes()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux sets the limits of another process")
@pytest.mark.parametrize(
    ("limit", "most", "step"), [("NOFILE", 3, "not too many files are open"), ("FSIZE", 0, "can be written")]
)
def test_a_limit_that_is_reached_during_a_run_stops_it_truthfully(
    company: Company, limit: str, most: int, step: str
) -> None:
    """No more files may be opened, or none may grow: nothing goes out without a claim; the next run sends the rest."""
    company.in_flight()
    with company.running() as process:
        wait_for(lambda: company.writes >= 5)
        resource.prlimit(process.pid, getattr(resource, f"RLIMIT_{limit}"), (most, most))
        told = process.communicate(timeout=60)[1]

    assert process.returncode == 5
    told_plainly(told, step)
    company.told_the_truth(5)
    company.completes()


@pytest.mark.parametrize("most", [5, 6, 8])
def test_too_few_open_files_from_the_start_send_nothing_that_is_not_claimed(company: Company, most: int) -> None:
    """Whatever the number of files that may be open: the program does its work, or ends early and says so."""
    with company.running(within=f"ulimit -n {most}") as process:
        told = process.communicate(timeout=60)[1]

    told_plainly(told)
    company.told_the_truth(process.returncode)
    company.completes()


def test_a_report_that_finds_no_room_is_told_and_can_be_written_later(company: Company) -> None:
    """The journal has all that the report needs: the message says how to write it."""
    with small_disk(company.project / "reports") as disk:
        fill(disk)
        ended = company.run_apart()
        (disk / "filler").unlink()
        told = " ".join(ended.stdout.split())
        assert "The report could not be written (no space left on device)" in told
        run_id = told.partition("visma-import report ")[2].split()[0]
        assert program("report", run_id, cwd=company.project).returncode == 0
        (report,) = disk.iterdir()
        assert {"results.xlsx", "results.json"} <= {file.name for file in report.iterdir()}
    company.completes()


def test_a_damaged_journal_never_doubles_a_document(company: Company) -> None:
    """One bit is wrong, or the end is missing: refused with advice, or used with nothing sent that is there already."""
    company.run_apart()
    sound, writes, chance, refused = company.file.read_bytes(), company.writes, Random(1), 0
    for number in range(48):
        data = bytearray(sound)
        if number % 2:
            # the head of a page tells what is where in it
            data[chance.randrange(len(data) // BLOCK) * BLOCK + chance.randrange(12)] ^= 1 << chance.randrange(8)
        elif number % 4:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        else:
            del data[chance.randrange(2, len(data)) :]
        company.file.write_bytes(data)
        code, _out, told = command("run", "mapping.yaml", *TARGET, "--quiet", "--report", "r", cwd=company.project)
        company.file.with_name("journal.db-journal").unlink(missing_ok=True)
        assert (code in {0, 3, 4}, company.writes) == (True, writes), told
        told_plainly(told, *["Restore it from a copy", "Name another file"] * (code == 3))
        refused += code == 3
    company.file.write_bytes(sound)

    assert refused >= 12
    company.completes()


@contextmanager
def locked(journal: Path) -> Iterator[None]:
    """Hold a journal as another program does that writes into it."""
    with closing(sqlite3.connect(journal, isolation_level=None, timeout=10)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield


def test_a_journal_that_is_locked_for_a_moment_is_waited_for(company: Company) -> None:
    """A run goes on when the other program has ended its work."""
    company.run_apart("--limit", "3")
    with company.running() as process:
        with locked(company.file):
            time.sleep(2)
        told = process.communicate(timeout=60)[1]

    assert (process.returncode, company.held) == (0, keys(COUNT)), told


def test_a_journal_that_stays_locked_stops_a_run_once_and_lets_no_other_start(company: Company) -> None:
    """The documents in flight stay in doubt (5), a new run sends nothing (3), and both say why.

    Eight workers wait for the lock together, not each after the other.
    """
    company.in_flight(delay_s=2)
    with company.running(workers=8) as first:
        wait_for(lambda: company.writes == COUNT)
        with locked(company.file), company.running("--report", "second") as second:
            refused = second.communicate(timeout=75)[1]
            stopped = first.communicate(timeout=100)[1]

    assert (first.returncode, second.returncode) == (5, 3)
    told_plainly(stopped, "Another program holds it")
    told_plainly(refused, "Another program holds it")
    company.told_the_truth(5)
    company.completes()


def test_a_journal_that_is_deleted_during_a_run_stops_it_and_doubles_nothing(company: Company) -> None:
    """The run notices, and the next one, knowing nothing, finds in Visma what is there."""
    company.in_flight()
    with company.running() as process:
        wait_for(lambda: company.writes >= 5)
        company.file.unlink()
        told = process.communicate(timeout=60)[1]
    held = company.held
    ended = company.run_apart()

    assert process.returncode == 5, told
    told_plainly(told)
    assert 5 <= len(held) < COUNT
    assert (ended.returncode, company.held) == (4, keys(COUNT))


def test_a_copy_of_the_journal_from_the_middle_of_a_run_doubles_nothing(company: Company) -> None:
    """What it holds as in flight, and what it does not know at all, is found in Visma."""
    company.in_flight()
    copy = company.project / "copy.db"
    with company.running() as process:
        wait_for(lambda: company.writes >= 5)
        with closing(sqlite3.connect(company.file)) as db, closing(sqlite3.connect(copy)) as into:
            db.backup(into)
        process.communicate(timeout=60)
    copy.replace(company.file)
    known = company.attempts()
    company.box.faults.clear()
    company.ahead_s += 700
    ended = company.run_apart()

    assert "sending" in {state for _, state in known}
    assert (ended.returncode, company.held) == (4, keys(COUNT))
    assert company.attempts() == [(key, "accepted") for key, _ in known]


class Clock:
    """Set the clock of a program, as it runs, without touching anybody else's."""

    def __init__(self, file: Path) -> None:
        found = importlib.util.find_spec("libfaketime")
        if found is None or not sys.platform.startswith("linux"):
            pytest.skip("needs libfaketime, on Linux")
        library = Path(str(found.origin)).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        self.file = file
        self.env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set(3600)
        told = subprocess.run(["date", "+%s"], env=self.env, capture_output=True, check=True).stdout
        if float(told) < time.time() + 3000:
            pytest.skip("libfaketime does not work here")
        self.set(0)

    def set(self, seconds: int) -> None:
        """Put it on, or back."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+}\n")
        new.replace(self.file)


@pytest.mark.parametrize("hours", [-1, 2])
def test_a_clock_that_jumps_while_documents_are_in_flight_changes_nothing(company: Company, hours: int) -> None:
    """Between claim and settlement, and between two runs: each document is there once."""
    clock = Clock(company.project / "clock")
    company.in_flight()
    with company.running(**clock.env) as process:
        wait_for(lambda: company.writes >= 5)
        clock.set(hours * 3600)
        told = process.communicate(timeout=60)[1]
    clock.set(-hours * 3600)
    again = company.run_apart(**clock.env)

    assert (process.returncode, again.returncode, company.held, company.writes) == (0, 0, keys(COUNT), COUNT), told


@pytest.mark.parametrize(("ours", "theirs"), [(2, 0), (-1, 0), (0, -1)])
def test_only_the_clock_of_the_server_says_when_a_doubt_is_old_enough(company: Company, ours: int, theirs: int) -> None:
    """Ours may jump ahead, or either one back: nothing is concluded before the server's own time has come."""
    clock = Clock(company.project / "clock")
    company.box.faults.append(Fault(match=WRITE, kind="cut_before", nth=5))
    first = company.run_apart(**clock.env)
    clock.set(ours * 3600)
    company.ahead_s = theirs * 3600
    second = company.run_apart(**clock.env)
    states = dict(company.attempts())
    company.ahead_s = 700
    third = company.run_apart(**clock.env)

    assert (first.returncode, second.returncode, third.returncode) == (5, 5, 0)
    assert sorted(states.values()) == ["accepted"] * (COUNT - 1) + ["unknown"]
    assert company.held == keys(COUNT)
