"""Several documents at a time: those of one customer one after the other, and everything else as if it were one."""

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import pairwise
from json import loads
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from databases import BOTH, journal_on, rows_of
from end_to_end import Ran, error, http, import_into, make_project
from fault_server import Deed, FaultServer
from firm import WRITE, invoices, keys, open_firm

from importer.sandbox import Fault, Settings

WORKERS = 8


class Watched:
    """Note, in a faulty server, which writes are being answered at the same time."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def answering(self, key: str, then: Callable[[], object], _server: FaultServer) -> None:
        """Do something while a write is in flight."""
        with self._lock:
            self.began[key] = time.monotonic()
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            then()
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as opened:
        yield opened


def send(
    folder: Path, server: FaultServer, count: int, *options: str, workers: int = WORKERS, customers: int | None = None
) -> Ran:
    """Import as many invoices into a faulty server; each has a customer of its own unless told otherwise."""
    project = folder / "project"
    if not project.exists():
        make_project(project, invoices(count, customers or count))
    return import_into(project, server.base_url, workers=workers, options=options)


def sent(document: Any) -> tuple[str, str]:
    """Return the key and the customer of a write in a sandbox's log."""
    body = loads(document.body)
    return body["externalReference"]["value"], body["customerNumber"]["value"]


def test_documents_of_one_customer_go_one_after_the_other_in_workbook_order(tmp_path: Path) -> None:
    """30 documents of 6 customers, 8 workers: a customer's next one starts when the one before was answered."""
    slow = (Fault(match=WRITE, kind="late", delay_s=0.02, every=2), Fault(match=WRITE, kind="hang", delay_s=0.01))
    with open_firm("sqlite", tmp_path, invoices(30, 6), Settings(faults=slow)) as firm:
        ran = firm.run(workers=WORKERS)
        log = [entry for entry in firm.box.requests_log if entry.method == "POST" and "invoice" in entry.path]
    lanes = defaultdict(list)
    for entry in sorted(log, key=lambda entry: entry.started):
        key, customer = sent(entry)
        lanes[customer].append((key, entry))
    most = max(sum(other.started <= entry.started < other.ended for other in log) for entry in log)

    assert (ran.code, ran.counts, len(lanes)) == (0, {"accepted": 30}, 6)
    for lane in lanes.values():
        assert [key for key, _ in lane] == sorted(key for key, _ in lane)
        assert all(before.ended <= after.started for (_, before), (_, after) in pairwise(lane))
    assert 1 < most <= 6


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_as_many_documents_are_in_flight_as_there_are_workers(
    tmp_path: Path, server: FaultServer, workers: int
) -> None:
    """Each write is answered only once as many are in flight as there are workers; and never are there more."""
    watched, gate = Watched(), threading.Barrier(workers)
    for key in keys(16):
        server.script[key] = [Deed(meanwhile=partial(watched.answering, key, lambda: gate.wait(20)))]
    ran = send(tmp_path, server, 16, workers=workers)

    assert (ran.code, ran.counts) == (0, {"accepted": 16})
    assert watched.most == workers


def test_one_slow_document_does_not_stall_the_rest(tmp_path: Path, server: FaultServer) -> None:
    """The first document is answered only after all of the other customers; its own customer's next one waits."""
    watched, others = Watched(), threading.Semaphore(0)

    def wait_for_others() -> None:
        for _ in range(18):
            assert others.acquire(timeout=20), "the others wait for the slow one"
        assert "F0011" not in watched.began

    server.script["F0001"] = [Deed(meanwhile=partial(watched.answering, "F0001", wait_for_others))]
    for key in keys(20)[1:]:
        server.script[key] = [Deed(meanwhile=partial(watched.answering, key, others.release))]
    ran = send(tmp_path, server, 20, workers=2, customers=10)

    assert (ran.code, ran.counts) == (0, {"accepted": 20})
    assert watched.began["F0011"] == max(watched.began.values())


def test_a_429_pauses_all_workers(tmp_path: Path, server: FaultServer) -> None:
    """No write starts before the time that the API asked for is over, other than those in flight."""
    watched, gate, turned_away = Watched(), threading.Barrier(4), threading.Event()
    answered_at: list[float] = []

    def turn_away(_number: str) -> bytes:
        answered_at.append(time.monotonic())
        turned_away.set()
        return http(429, Retry_After="2")

    def wait() -> None:
        gate.wait(20)
        turned_away.wait(20)
        time.sleep(0.5)

    again = Deed(meanwhile=partial(watched.answering, "F0001 again", lambda: None))
    first = Deed(
        commits="never", answer=turn_away, meanwhile=partial(watched.answering, "F0001", lambda: gate.wait(20))
    )
    server.script["F0001"] = [first, again]
    for key in keys(4)[1:]:
        server.script[key] = [Deed(meanwhile=partial(watched.answering, key, wait))]
    for key in keys(12)[4:]:
        server.script[key] = [Deed(meanwhile=partial(watched.answering, key, lambda: None))]
    ran = send(tmp_path, server, 12, workers=4)
    later = [watched.began[key] for key in ("F0001 again", *keys(12)[4:])]

    assert (ran.code, ran.counts) == (0, {"accepted": 12})
    assert len(later) == 9
    assert min(later) >= answered_at[0] + 2.0


def told(ran: Ran) -> list[Any]:
    """Return what a report says of each document, without what the server gives: numbers, and when it was sent."""
    return [{**document, "number": bool(document["number"]), "sent_at": None} for document in ran.documents]


def sheet(ran: Ran) -> list[list[Any]]:
    """Return the rows of results.xlsx, without the number of each document and the times."""
    page: Any = openpyxl.load_workbook(ran.folder / "results.xlsx")["Invoices"]
    head, *rows = [[cell.value for cell in row] for row in page.iter_rows()]
    left_out = {place for place, name in enumerate(head) if name in {"Visma number", "Sent at"}}
    return [[value for place, value in enumerate(row) if place not in left_out] for row in (head, *rows)]


def test_results_do_not_depend_on_the_order_of_answers(tmp_path: Path) -> None:
    """With 1 and with 8 workers and answers in another order, both reports say the same of each row, in their order."""
    rows = [(key, "99999" if place % 7 == 3 else customer, *rest) for place, (key, customer, *rest) in
            enumerate(invoices(40, 25))]  # fmt: skip
    found = []
    for workers, delays in ((1, ()), (8, (0.11, 0.07, 0.03))):
        (tmp_path / str(workers)).mkdir()
        late = [Fault(match=WRITE, kind="late", every=every, delay_s=s) for every, s in zip((5, 3, 2), delays)]  # noqa: B905
        with open_firm("sqlite", tmp_path / str(workers), rows, Settings(faults=tuple(late))) as firm:
            ran = firm.run(workers=workers)
            order = [sent(entry)[0] for entry in firm.box.requests_log if entry.status == 201]
        found.append((ran.code, ran.counts, told(ran), sheet(ran)))
        assert (order == sorted(order)) is (workers == 1), "the answers came in the order of the workbook"

    assert found[0] == found[1]
    assert found[0][1] == {"accepted": 34, "rejected": 6}


@pytest.mark.parametrize("database", BOTH)
def test_each_claim_is_on_disk_before_its_bytes_leave(tmp_path: Path, server: FaultServer, database: str) -> None:
    """When a write arrives, another connection already reads in the journal that this document is being sent."""
    seen: dict[str, list[str]] = {}

    def look(where: str, key: str, _server: FaultServer) -> None:
        with rows_of(where) as connection:
            query = sa.text("SELECT state FROM attempt WHERE key = :key")
            seen[key] = [state for (state,) in connection.execute(query, {"key": key})]

    with journal_on(database, tmp_path) as where:
        for key in keys(40):
            server.script[key] = [Deed(meanwhile=partial(look, where, key))]
        ran = send(tmp_path, server, 40, "--journal", where)

    assert (ran.code, ran.counts) == (0, {"accepted": 40})
    assert seen == {key: ["sending"] for key in keys(40)}


def commits(journal: Path) -> int:
    """Return how many transactions changed an SQLite file: it counts them itself, in its header."""
    return int.from_bytes(journal.read_bytes()[24:28], "big")


def commits_of(folder: Path, server: FaultServer, workers: int) -> int:
    """Send 64 invoices, as many answered together as there are workers; return how many commits that took."""
    folder.mkdir()
    gate = threading.Barrier(workers)
    for key in keys(64):
        server.script[key] = [Deed(meanwhile=lambda _server: gate.wait(20))]
    server.ledger.clear()
    ran = send(folder, server, 64, workers=workers)
    assert (ran.code, ran.counts) == (0, {"accepted": 64})
    return commits(folder / "project" / ".visma-import" / "journal.db")


def test_several_claims_and_settlements_share_one_commit(tmp_path: Path, server: FaultServer) -> None:
    """One worker needs a commit for each; eight, whose answers come together, need less than half of that."""
    one = commits_of(tmp_path / "one", server, 1)
    eight: list[int] = []
    # how many threads come together is a matter of the machine's load, too
    while len(eight) < 3 and min(eight, default=one) >= one / 2:
        eight.append(commits_of(tmp_path / str(len(eight)), server, WORKERS))
    print(f"measured: commits for 128 changes: {one} with 1 worker, {min(eight)} with {WORKERS}")

    assert 128 <= one <= 135
    assert min(eight) < one / 2


def test_a_rejection_of_one_document_keeps_no_other_from_its_customer(tmp_path: Path, server: FaultServer) -> None:
    """The customer's next document goes, after a rejection as after an answer that leaves it in doubt."""
    server.script["F0001"] = [Deed(commits="never", answer=lambda _number: error(400, "The item is not known."))]
    server.script["F0003"] = [Deed(cut=0, end="close")]
    ran = send(tmp_path, server, 6, workers=4, customers=1)

    assert ran.code == 4
    assert [document["status"] for document in ran.documents] == ["rejected", *["accepted"] * 5]
    assert [write.reference for write in server.writes] == keys(6)


def test_the_same_customer_is_the_same_in_upper_and_lower_case(tmp_path: Path, server: FaultServer) -> None:
    """Visma takes `acme` and `ACME` for one, so their documents wait for each other."""
    watched = Watched()
    rows = [(key, "acme" if place % 2 else "ACME", *rest) for place, (key, _, *rest) in enumerate(invoices(8, 8))]
    make_project(tmp_path / "project", rows)
    for key in keys(8):
        server.script[key] = [Deed(meanwhile=partial(watched.answering, key, partial(time.sleep, 0.02)))]
    ran = send(tmp_path, server, 8)

    assert (ran.code, ran.counts, watched.most) == (0, {"accepted": 8}, 1)


def test_workers_share_the_token_and_renew_it_once(tmp_path: Path) -> None:
    """When a token ends in the middle, one renewal serves all workers, and nothing is in doubt."""
    away = Fault(match=WRITE, kind="401", nth=9)
    with open_firm("sqlite", tmp_path, invoices(40, 40), Settings(faults=(away,))) as firm:
        ran = firm.run(workers=WORKERS)
        tokens = [entry for entry in firm.box.requests_log if "token" in entry.path]

    assert (ran.code, ran.counts, len(tokens)) == (0, {"accepted": 40}, 2)


def test_a_journal_that_eight_workers_wrote_is_whole(tmp_path: Path, server: FaultServer) -> None:
    """SQLite itself finds nothing wrong, and every document has one attempt, settled."""
    ran = send(tmp_path, server, 60, customers=20)
    with closing(sqlite3.connect(tmp_path / "project" / ".visma-import" / "journal.db")) as db:
        whole = db.execute("PRAGMA integrity_check").fetchall()
        states = db.execute("SELECT key, state, number IS NOT NULL FROM attempt ORDER BY key").fetchall()

    assert ran.code == 0
    assert whole == [("ok",)]
    assert states == [(key, "accepted", 1) for key in keys(60)]
