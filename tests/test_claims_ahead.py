"""While as many documents are on their way as there are workers, one more is claimed: sent once, or not at all."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from databases import rows_of
from end_to_end import MAPPING, error, http, import_into, make_project
from fault_server import Committed, Deed, FaultServer
from firm import invoices, keys, wait_for
from test_crash import program

from importer.journal import open_journal
from importer.slots import Slots

COUNT, WORKERS = 40, 2
#: As many documents as are sent before anything is claimed ahead, and some more.
FIRST = 16
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@contextmanager
def slow_disk(journal: Path) -> Iterator[None]:
    """Let each claim wait a little, since another program has the journal's file again and again."""
    over = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(journal, isolation_level=None, timeout=20)) as connection:
            while not over.wait(0.004):
                connection.execute("BEGIN IMMEDIATE")
                time.sleep(0.002)
                connection.execute("COMMIT")

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def journal_of(project: Path) -> Path:
    return project / ".visma-import" / "journal.db"


def states(project: Path) -> Counter[str]:
    """Count the attempts in a journal by their state."""
    with rows_of(str(journal_of(project))) as connection:
        return Counter(row[0] for row in connection.exec_driver_sql("SELECT state FROM attempt"))


class Api(FaultServer):
    """Answer each write after a while; note how many are on their way, and how many the journal says are."""

    def __init__(self, project: Path, latency_s: float = 0.03) -> None:
        super().__init__()
        self.project = project
        self.latency_s = latency_s
        self.began: dict[str, float] = {}
        self.flying = self.most = self.most_sending = 0
        self._count = threading.Lock()
        for key in keys(COUNT):
            self.script[key] = [self.deed(key)]

    def deed(self, key: str, latency_s: float = 0.0, **more: object) -> Deed:
        """Return what is done with a write."""

        def answer(_server: FaultServer) -> None:
            with self._count:
                self.flying += 1
                self.most = max(self.most, self.flying)
                self.began.setdefault(key, time.monotonic())
            self.most_sending = max(self.most_sending, states(self.project)["sending"])
            time.sleep(latency_s or self.latency_s)
            with self._count:
                self.flying -= 1

        return Deed(meanwhile=answer, **more)  # type: ignore[arg-type]

    def commit(self, reference: str, body: dict[str, Any]) -> Committed:
        """Write a document into the ledger, with a customer if it names none."""
        return super().commit(reference, {"customerNumber": {"value": "10001"}, **body})

    def arrived(self) -> Counter[str]:
        """Count the writes that arrived, by their documents."""
        return Counter(write.reference for write in self.writes)


@contextmanager
def waiting_run(api: Api, latency_s: float) -> Iterator["subprocess.Popen[str]"]:
    """Run the program until the API takes its time over as many documents as there are workers."""
    slow = keys(COUNT)[FIRST : FIRST + WORKERS]
    for key in slow:
        api.script[key] = [api.deed(key, latency_s=latency_s)]
    with slow_disk(journal_of(api.project)), program(api.project, api.base_url, WORKERS) as process:
        wait_for(lambda: set(slow) <= set(api.began))
        yield process


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of invoices, each of a customer of its own, whose journal is there already."""
    made = make_project(tmp_path / "project", invoices(COUNT, COUNT))
    open_journal(journal_of(made)).close()
    return made


@pytest.mark.parametrize(
    ("claim_s", "exchange_s", "counts"),
    [(0.005, 0.03, True), (0.0001, 0.03, False), (0.005, 0.0, False), (0.005, 1.1, False)],
    ids=["slow disk", "quick disk", "quick API", "slow API"],
)
def test_one_more_is_claimed_only_where_the_disk_would_hold_up_the_api(
    claim_s: float, exchange_s: float, counts: bool
) -> None:
    """An API that answers at once gains nothing by it, and one that takes its time next to nothing."""
    slots, found = Slots(1, lambda: True, ahead=True), []
    waiting = threading.Thread(target=lambda: found.append(slots.want_more(lambda: None)))
    waiting.start()
    for _ in range(4):
        assert waiting.is_alive(), "before it is known"
        with slots.hold(claim_s) as free:
            assert free
            time.sleep(exchange_s)
    time.sleep(0.05)
    slots.close()
    waiting.join(20)

    assert found == [counts]


def test_as_many_are_on_their_way_as_there_are_workers_while_one_more_is_claimed(project: Path) -> None:
    """Each claim is on disk before its request leaves, and the API never has more of them than workers."""
    with Api(project) as api, slow_disk(journal_of(project)):
        ran = import_into(project, api.base_url, workers=WORKERS)

    assert (ran.code, ran.counts, set(api.arrived().values())) == (0, {"accepted": COUNT}, {1})
    assert (api.most, api.most_sending) == (WORKERS, WORKERS + 1)


def test_what_could_not_be_looked_for_is_not_claimed_before_it_can_go_out(tmp_path: Path) -> None:
    """A person would have to look for it in Visma, though it never left."""
    line = next(line for line in MAPPING.splitlines() if "customerNumber" in line)
    project = make_project(tmp_path / "project", invoices(COUNT, COUNT), MAPPING.replace(line + "\n", ""))
    open_journal(journal_of(project)).close()
    with Api(project) as api, slow_disk(journal_of(project)):
        ran = import_into(project, api.base_url, workers=WORKERS)

    assert (ran.code, ran.counts) == (0, {"accepted": COUNT})
    assert (api.most, api.most_sending) == (WORKERS, WORKERS)


@pytest.mark.parametrize("sent", [14, 17, 23, 30])
def test_a_kill_leaves_in_doubt_what_was_claimed_and_no_document_is_sent_twice_or_lost(
    project: Path, sent: int
) -> None:
    """At most one more than the workers is looked for; the next runs send the rest."""
    with Api(project) as api:
        with slow_disk(journal_of(project)), program(project, api.base_url, WORKERS) as process:
            wait_for(lambda: len(api.writes) >= sent)
            process.kill()
            process.wait(10)
        left = states(project)
        wait_for(lambda: not api.flying)
        api.ahead_s += 700
        ran = import_into(project, api.base_url, workers=WORKERS)
        again = import_into(project, api.base_url, workers=WORKERS)

        assert left["sending"] <= WORKERS + 1
        assert (again.code, again.counts) == (0, {"already_accepted": COUNT})
        assert ran.code in {0, 5}
        assert api.arrived() == Counter(keys(COUNT))


def test_what_is_claimed_waits_while_the_api_asks_for_a_pause(project: Path) -> None:
    """After a 429 no write begins before its time, though slots are free; the claim is taken back meanwhile."""
    pause_s, turned_away, moved = 1, keys(COUNT)[FIRST], threading.Condition()
    began: dict[str, float] = {}
    flying: set[str] = set()
    answered: list[float] = []

    def deed(key: str) -> Deed:
        def answer(_server: FaultServer) -> None:
            with moved:
                began[key] = time.monotonic()
                flying.add(key)
                moved.notify_all()
                if key == turned_away:
                    assert moved.wait_for(lambda: len(flying) == WORKERS, 20)
            time.sleep(api.latency_s)
            with moved:
                if not answered and turned_away in began and key != turned_away:
                    # its slot is free after the program knows of the pause, and long before that is over
                    assert moved.wait_for(lambda: answered, 20)
                    moved.wait_for(lambda: False, pause_s / 2)
                flying.remove(key)

        return Deed(meanwhile=answer)

    def turn_away(_reference: str) -> bytes:
        with moved:
            answered.append(time.monotonic())
            moved.notify_all()
        return http(429, Retry_After=str(pause_s))

    with Api(project) as api, slow_disk(journal_of(project)):
        api.script = {key: [deed(key)] for key in keys(COUNT)}
        api.script[turned_away] = [replace(deed(turned_away), commits="never", answer=turn_away), Deed()]
        ran = import_into(project, api.base_url, workers=WORKERS)

    assert (ran.code, ran.counts) == (0, {"accepted": COUNT})
    assert [key for key, at in began.items() if answered[0] < at < answered[0] + pause_s] == []
    assert api.arrived() == Counter([*keys(COUNT), turned_away])


def test_what_is_claimed_is_not_sent_after_a_rule_stopped_the_run(project: Path) -> None:
    """It says so, its claim is taken back, and the next run sends it."""
    with Api(project) as api:
        for key in keys(COUNT)[FIRST:]:
            api.script[key] = [api.deed(key, commits="never", answer=lambda _: error(400, "No such customer."))]
        with slow_disk(journal_of(project)):
            ran = import_into(project, api.base_url, workers=WORKERS, options=["--max-same-rejections", "3"])
        tried = sum(api.arrived().values())
        left = states(project)
        api.script.clear()
        again = import_into(project, api.base_url, workers=WORKERS)

    assert (ran.code, ran.counts) == (
        6,
        {"accepted": FIRST, "rejected": tried - FIRST, "not_sent": COUNT - tried},
    )
    assert FIRST + 3 <= tried <= FIRST + 3 + WORKERS
    assert left["sending"] == left["unknown"] == 0
    assert (again.code, again.counts) == (0, {"already_accepted": FIRST, "accepted": COUNT - FIRST})


def test_claims_that_wait_too_long_are_taken_back(project: Path) -> None:
    """An API that grows slow has nothing claimed ahead after a second, so that a kill leaves no more in doubt."""
    with Api(project) as api, waiting_run(api, latency_s=2.5) as process:
        time.sleep(1.8)
        sending = states(project)["sending"]
        process.communicate(timeout=30)

    assert (process.returncode, sending) == (0, WORKERS)
    assert set(api.arrived().values()) == {1}


@POSIX
def test_a_second_ctrl_c_says_nothing_false_of_what_was_only_claimed(project: Path) -> None:
    """What never left is taken back; the next run sends it, and nothing twice."""
    with Api(project) as api:
        with waiting_run(api, latency_s=3.5) as process:
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        left = states(project)
        wait_for(lambda: not api.flying)
        api.ahead_s += 700
        again = import_into(project, api.base_url, workers=WORKERS)

    assert process.returncode == 5
    # what was only claimed is taken back, if the disk is ready within the second that is left
    assert left["unknown"] + left["sending"] in {WORKERS, WORKERS + 1}
    assert (again.code, again.counts) == (0, {"already_accepted": FIRST + WORKERS, "accepted": COUNT - FIRST - WORKERS})
    assert api.arrived() == Counter(keys(COUNT))
