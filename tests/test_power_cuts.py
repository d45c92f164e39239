"""The journal on a disk that fails: no commit that was acknowledged is lost, and no half of one is ever there."""

import os
import re
import sqlite3
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import event

apsw = pytest.importorskip("apsw")
from end_to_end import TARGET, aim, command  # noqa: E402 - below what needs apsw
from journal_formats import back_to  # noqa: E402 - the same
from power import Disk, on  # noqa: E402 - needs apsw
from records import NOW, outcome, record  # noqa: E402 - the same

from importer.errors import JournalError  # noqa: E402 - the same
from importer.journal import Journal, open_journal  # noqa: E402 - the same
from importer.model import Document, Outcome, RunRecord, Status  # noqa: E402 - the same

#: About how many times the power is cut; README's command for the long sweep sets more.
CUTS: Final = int(os.environ.get("POWER_CUTS", "600"))
COMPANY: Final = ("company", "customerInvoice.create")
#: Memory where there is such a folder: what survives is decided here, not by this machine's own disk.
MEMORY: Final = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
State = dict[str, list[Any]]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


def document(key: str) -> Document:
    return Document(key=key, rows=(2,), identity=key, fingerprint=key[-1] * 64, expect="what it looks like " * 40)


def in_flight(key: str, position: int) -> Outcome:
    return replace(outcome(key, position, Status.UNKNOWN), message="It may or may not be there.", sent_at=NOW)


def claim(journal: Journal, of: RunRecord, key: str, position: int) -> int:
    return journal.claim(of, document(key), in_flight(key, position), NOW, NOW)


def settled(key: str, position: int, status: Status) -> Outcome:
    number = f"{position:06}" if status is Status.ACCEPTED else None
    return replace(outcome(key, position, status), number=number, http_status=201, message="As the API said. " * 9)


def life(journal: Journal) -> Iterator[None]:
    """Live as a journal does; give way after each commit that was acknowledged."""
    run = record()
    yield journal.start_run(run, [outcome("F0001", 0), outcome("F0002", 1)])
    first = claim(journal, run, "F0001", 0)
    yield
    yield journal.settle(run, first, settled("F0001", 0, Status.ACCEPTED), NOW, "HTTP/1.1 answer " * 400)
    second = claim(journal, run, "F0002", 1)
    yield
    yield journal.settle(run, second, settled("F0002", 1, Status.UNKNOWN), NOW)
    doubtful = next(known for known in journal.live_attempts(*COMPANY) if known.state == "unknown")
    journal.decide(doubtful, "not_sent", "It is not there.", NOW, number=None, by="look-up")
    yield
    again = claim(journal, run, "F0002", 1)
    yield
    yield journal.settle(run, again, settled("F0002", 1, Status.REJECTED), NOW)
    yield journal.finish_run(replace(run, finished_at=NOW, exit_code=4))


def state(data: bytes) -> State:
    """Return every row of a sound journal."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(data)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        db.row_factory = sqlite3.Row
        rows = {name: db.execute(f"SELECT * FROM {name} ORDER BY 1, 2") for name in ("run", "attempt", "result")}
        # the uid is a random word
        return {name: [{**row, "uid": ""} for row in map(dict, found)] for name, found in rows.items()}


def reopened(file: Path) -> State:
    """Open a journal as the next run does, with Python's own driver, and return what it holds."""
    open_journal(file).close()
    return state(file.read_bytes())


@dataclass(frozen=True)
class Lived:
    """Hold a life on a sound disk: the disk, and what the journal held after each commit."""

    disk: Disk
    states: list[State]


def lived(folder: Path, setting: str = "") -> Lived:
    """Live on a sound disk; with another setting of SQLite after the program's own where there is one."""
    disk, file = Disk(), folder / "journal.db"
    with on(disk):
        journal = open_journal(file)
        if setting:
            journal.close()
            event.listen(journal._engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {setting}"))
        states = [state(file.read_bytes())]
        for _ in life(journal):
            disk.acknowledge(len(states))
            states.append(state(file.read_bytes()))
        journal.close()
    assert len({str(found) for found in states}) == len(states)
    return Lived(disk, states)


def put(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write what a power cut left into a folder; return the journal."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "journal.db"


def cut_again(files: Mapping[str, bytes], folder: Path, chance: Random) -> dict[str, bytes]:
    """Cut the power again while the journal is opened after a cut; return what is left of what was left."""
    disk = Disk()
    disk.find(files)
    with on(disk):
        open_journal(put(files, folder)).close()
    moment = chance.randrange(max(0, len(files) - 1), len(disk.changes))
    return next(islice(disk.cuts(), moment, None)).after_power_cut(chance)


@dataclass
class Counts:
    """Count what a sweep found."""

    cuts: int = 0
    acknowledged: int = 0
    #: acknowledged commits that were not there
    lost: int = 0
    #: journals that could not be read, or that held a part of a commit
    damaged: int = 0

    def __str__(self) -> str:
        return f"{self.cuts} cuts, {self.acknowledged} acknowledged commits, {self.lost} lost, {self.damaged} damaged"


def sweep(life: Lived, cuts: int) -> Counts:
    """Cut the power about so many times, at every change of the disk, and see what the next run finds.

    Every third time the power fails again while the journal is opened.
    """
    counts, chance = Counts(), Random(1)
    times = max(2, round(cuts / len(life.disk.changes)))
    for number, platter in enumerate(life.disk.cuts()):
        done = sum(when <= number for when, _ in life.disk.acknowledged)
        for _ in range(times):
            counts.cuts, counts.acknowledged = counts.cuts + 1, counts.acknowledged + done
            with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                files = platter.after_power_cut(chance)
                try:
                    if counts.cuts % 3 == 0:
                        (Path(folder) / "again").mkdir()
                        files = cut_again(files, Path(folder) / "again", chance)
                    found = reopened(put(files, Path(folder)))
                except (AssertionError, JournalError, sqlite3.Error):
                    counts.damaged += 1
                    continue
            reached = [when for when, state in enumerate(life.states) if state == found]
            if not reached or reached[0] > done + 1:
                counts.damaged += 1
            else:
                counts.lost += max(0, done - reached[0])
    return counts


def test_a_power_cut_at_any_write_loses_no_acknowledged_commit(folder: Path) -> None:
    """After each cut the journal is sound and holds every acknowledged commit, and the next one whole or not at all."""
    counts = sweep(lived(folder), CUTS)
    print(f"measured: power cuts: {counts}")

    assert counts.cuts >= min(CUTS, 400)
    assert counts.acknowledged > counts.cuts
    assert (counts.lost, counts.damaged) == (0, 0)


@pytest.mark.parametrize("setting", ["synchronous = FULL", "synchronous = NORMAL", "journal_mode = MEMORY"])
def test_the_sweep_sees_what_a_wrong_setting_would_lose(folder: Path, setting: str) -> None:
    """With SQLite's own default, or less, the same sweep finds commits that are lost or journals that are damaged."""
    counts = sweep(lived(folder, setting), 0)

    assert counts.lost + counts.damaged > 0


def older(file: Path) -> bytes:
    """Return a journal as the first format had it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        for sql in back_to(1):
            db.execute(sql)
    return file.read_bytes()


def test_a_power_cut_while_an_older_journal_is_brought_up_to_date_loses_nothing(folder: Path) -> None:
    """Whatever the moment, the next run finds everything that the older journal held."""
    before = lived(folder).states[-1]
    old = older(folder / "journal.db")
    disk = Disk()
    disk.find({"journal.db": old})
    with on(disk):
        open_journal(folder / "journal.db").close()
    (folder / "sound").mkdir()
    # what the older format did not hold is blank now
    sound = reopened(put({"journal.db": old}, folder / "sound"))
    counts = sweep(Lived(disk, [sound]), CUTS // 4)

    assert {name: len(rows) for name, rows in sound.items()} == {name: len(rows) for name, rows in before.items()}
    assert len(disk.changes) > 20
    assert (counts.lost, counts.damaged) == (0, 0)


def at_once(journal: Journal, disk: Disk, count: int) -> list[str]:
    """Claim and settle as many documents in eight threads; return the keys of those whose thread was told of a failure.

    What is acknowledged is the key, once for the claim and once for the settlement.
    """

    def send(position: int) -> str:
        key = f"F{position:04}"
        try:
            attempt = claim(journal, record(), key, position)
            disk.acknowledge(key)
            journal.settle(record(), attempt, settled(key, position, Status.ACCEPTED), NOW)
            disk.acknowledge(key)
        except JournalError:
            return key
        return ""

    with ThreadPoolExecutor(8) as pool:
        return [key for key in pool.map(send, range(count)) if key]


#: How far a document came, by the state of its attempt and the status in the report.
_STEPS: Final = {(None, "not_sent"): 0, ("sending", "unknown"): 1, ("accepted", "accepted"): 2}


def steps(found: State) -> dict[str, int]:
    """Return how far each document came: 1 is claimed, 2 is settled.

    Raises: KeyError where an attempt and the report disagree, so that a commit is there by half.
    """
    states = {row["key"]: row["state"] for row in found["attempt"]}
    assert len(states) == len(found["attempt"]), "a document was claimed twice"
    return {row["key"]: _STEPS[states.get(row["key"]), row["status"]] for row in found["result"]}


def test_a_power_cut_loses_nothing_of_what_eight_threads_commit_together(folder: Path) -> None:
    """Of claims and settlements that share their commits, each acknowledged one is there after any cut."""
    disk, chance, count = Disk(), Random(2), 40
    with on(disk):
        journal = open_journal(folder / "journal.db")
        journal.start_run(record(), [outcome(f"F{position:04}", position) for position in range(count)])
        started = len(disk.changes)
        assert at_once(journal, disk, count) == []
        journal.close()
    assert disk.asked.count("delete") < 2 * count, "no two shared a commit"
    for number, platter in enumerate(disk.cuts()):
        if number < started or chance.random() > CUTS / len(disk.changes):
            continue
        done = Counter(key for when, key in disk.acknowledged if when <= number)
        with tempfile.TemporaryDirectory(dir=MEMORY) as again:
            found = steps(reopened(put(platter.after_power_cut(chance), Path(again))))
        assert len(found) == count
        assert all(done[key] <= step <= done[key] + 1 for key, step in found.items())


#: What fails, and what of it: the disk is full from then on; one operation fails, all do, or one that was done.
FAILING: Final = {
    "full": {"error": apsw.FullError, "lasting": True},
    "error": {"error": apsw.IOError},
    "broken": {"error": apsw.IOError, "lasting": True},
    "error too late": {"error": apsw.IOError, "late": True},
}
_CHANGING: Final = {"create", "write", "truncate", "sync", "delete"}
_REACHED: Final = {"full": {"create", "write"}, "error too late": _CHANGING}
_TOLD: Final = "Make room on the disk|Look whether its folder can be written|Nothing more is sent"


def live_on(disk: Disk, file: Path) -> tuple[int, str]:
    """Live on a disk that fails until the journal refuses; return how many commits were acknowledged, and what it said.

    What else is raised than the journal's own refusal ends the test.
    """
    done, said, journal = 0, "", None
    with on(disk):
        try:
            journal = open_journal(file)
            for _ in life(journal):
                done += 1
        except JournalError as error:
            said = str(error)
        disk.fails_at = None
        if journal is not None:
            journal.close()
    return done, said


@pytest.mark.parametrize("kind", FAILING)
def test_a_disk_that_fails_at_any_operation_is_told_and_nothing_acknowledged_is_lost(folder: Path, kind: str) -> None:
    """The journal refuses in its own words, and once the disk works again it holds exactly what was acknowledged.

    The commit that failed may be there: a claim then stands as in flight, whose document was not sent.
    """
    sound = lived(folder)
    wanted = [number for number, what in enumerate(sound.disk.asked) if what in _REACHED.get(kind, {what})]
    # by default each operation at which a disk may be full, and each second one of the many that may fail otherwise
    wanted = wanted[:: max(1, round(len(wanted) * 4 / CUTS))]
    told, wrong = 0, []
    for number in wanted:
        with tempfile.TemporaryDirectory(dir=MEMORY) as made:
            file = Path(made) / "journal.db"
            done, said = live_on(Disk(fails_at=number, **FAILING[kind]), file)  # type: ignore[arg-type]
            told += bool(said)
            if said and not re.search("Make room" if "is full" in said else _TOLD, said):
                wrong.append((number, sound.disk.asked[number], said))
            if reopened(file) not in sound.states[done : done + 2]:
                wrong.append((number, sound.disk.asked[number], f"not what {done} commits leave"))

    assert wrong == []
    assert told > len(wanted) / 2


@pytest.mark.parametrize("kind", FAILING)
def test_a_disk_that_fails_under_eight_threads_loses_nothing_that_any_of_them_was_told(folder: Path, kind: str) -> None:
    """Each thread comes back, with a commit that is there or with a refusal; none waits for ever."""
    count, told = 12, 0
    for seed in range(max(10, CUTS // 60)):
        disk, file = Disk(**FAILING[kind]), folder / f"{seed}.db"  # type: ignore[arg-type]
        with on(disk):
            journal = open_journal(file)
            journal.start_run(record(), [outcome(f"F{position:04}", position) for position in range(count)])
            disk.fails_at = len(disk.asked) + Random(seed).randrange(80)
            failed = at_once(journal, disk, count)
            disk.fails_at = None
            journal.close()
        found, done = steps(reopened(file)), Counter(key for _, key in disk.acknowledged)
        told += len(failed)
        assert all(done[key] <= step <= done[key] + (key in failed) for key, step in found.items())
    assert told > 0


@pytest.mark.parametrize("kind", FAILING)
def test_a_whole_run_on_a_disk_that_fails_tells_the_truth_and_the_next_one_completes_it(
    tmp_path: Path, kind: str
) -> None:
    """At any operation, up to the last: a true exit code, no claim missing, and in the end each document once.

    Where all operations fail, the power is cut as well: what was not synced may be gone.
    """
    from test_journal_disk import Company, told_plainly

    chance, total, codes = Random(len(kind)), 0, Counter[int]()
    for number in range(max(5, CUTS // 120)):
        company = Company(tmp_path / str(number))
        # the first run counts; of the others each second one fails towards its end, where workers share commits; with
        # one worker each operation is its own, so that none may fail and the run be green
        alone = number % 2 == 0
        at = (chance.randrange(total - 40) if alone else chance.randrange(total - 40, total)) if total else None
        disk = Disk(fails_at=at, **FAILING[kind])  # type: ignore[arg-type]
        with company.box:
            aim(company.project, company.box.base_url)
            with on(disk):
                code, _out, told = command(
                    "run", "mapping.yaml", *TARGET, "--quiet", "--workers", "1" if alone else "4", cwd=company.project
                )
            total = total or len(disk.asked)
            if kind == "broken":
                platter = deque(disk.cuts(), maxlen=1).pop()
                for file in company.private.glob("journal.db*"):
                    file.unlink()
                put(platter.after_power_cut(chance), company.private)
            told_plainly(told)
            company.told_the_truth(code)
            company.completes()
            codes[code] += 1
        assert code or at is None or not alone, disk.asked[at]

    assert {5, 6} & set(codes)


def main(cuts: int) -> None:
    """Cut the power about so many times, and print what was lost."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        counts = sweep(lived(Path(made)), cuts)
    print(f"Power cuts: {counts}")
    raise SystemExit(counts.lost + counts.damaged > 0)
