"""What several workers write in one transaction is what each would have written alone, and comes before its request."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from string import ascii_uppercase
from typing import Any

import pytest
import sqlalchemy as sa
from databases import BOTH, journal_on, rows_of
from end_to_end import import_into, make_project
from fault_server import Deed, FaultServer
from firm import invoices, keys, wait_for
from records import NOW, outcome, record

from importer.journal import AlreadyClaimed, Journal, open_journal
from importer.model import Document, Status

COUNT = 24
WORKERS = 4


def drawn(chance: Random, seed: int) -> list[tuple[Document, int]]:
    """Draw documents, of which every second time some are the same, and what each was looked for after."""
    names = chance.choices(ascii_uppercase[:12], k=COUNT) if seed % 2 else chance.sample(ascii_uppercase, COUNT)
    found = []
    for name in names:
        content = chance.choice("ab")
        again = chance.random() < 0.3
        document = Document(key=name, rows=(2,), identity=name, fingerprint=content * 64, repeatable=again, expect="{}")
        found.append((document, chance.choice([0, 0, 1000])))
    return found


def begun(journal: Journal, chance: Random) -> None:
    """Let an earlier run have come to some end with some of the documents."""
    journal.start_run(record("earlier"), [outcome(key, place) for place, key in enumerate("ABCDEF")])
    journal.start_run(record(), [outcome(f"K{place}", place) for place in range(COUNT)])
    for place, key in enumerate("ABCDEF"):
        document = Document(key=key, rows=(2,), identity=key, fingerprint=chance.choice("ab") * 64, expect="{}")
        attempt = journal.claim(record("earlier"), document, outcome(key, place), NOW, NOW)
        status, code = chance.choice([(Status.ACCEPTED, 201), (Status.REJECTED, 500), (Status.REJECTED, 400)])
        journal.settle(record("earlier"), attempt, replace(outcome(key, place, status), http_status=code), NOW)


def become(journal: Journal, document: Document, place: int, looked_after: int) -> str:
    """Claim a document and settle it; return what became of the claim."""
    sending = outcome(f"K{place}", place, Status.UNKNOWN)
    try:
        attempt = journal.claim(record(), document, sending, NOW, NOW, looked_after)
    except AlreadyClaimed as error:
        return f"{error.attempt.run_id} {error.attempt.state} {error.attempt.fingerprint}"
    return str(attempt)


@contextmanager
def held(journal: Journal) -> Iterator[None]:
    """Hold a transaction, so that what is written meanwhile shares the next one."""
    going, free = threading.Event(), threading.Event()

    def hold(_connection: sa.Connection) -> None:
        going.set()
        assert free.wait(20)

    thread = threading.Thread(target=lambda: journal._group.run(hold))
    thread.start()
    assert going.wait(20)
    try:
        yield
    finally:
        free.set()
        thread.join()


def together(journal: Journal, works: list[Callable[[], Any]]) -> list[Any]:
    """Do pieces of work in one transaction, in this order; return what each returned."""
    with ThreadPoolExecutor(len(works)) as pool:
        futures: list[Future[Any]] = []
        with held(journal):
            for number, work in enumerate(works, start=1):
                futures.append(pool.submit(work))
                wait_for(lambda number=number: len(journal._group._waiting) == number)
            before = journal._group.commits
        found = [future.result() for future in futures]
        assert journal._group.commits == before + 2
    return found


def written(where: str) -> list[list[tuple[Any, ...]]]:
    """Return all that a journal holds of attempts and results, without what is drawn anew for each."""
    with rows_of(where) as connection:
        attempts = connection.exec_driver_sql("SELECT * FROM attempt ORDER BY attempt_id").mappings()
        named = [tuple(value for name, value in row.items() if name not in {"uid", "attempt_id"}) for row in attempts]
        results = connection.exec_driver_sql("SELECT * FROM result ORDER BY run_id, position")
        return [named, [tuple(row) for row in results]]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("database", BOTH)
def test_what_is_claimed_and_settled_together_is_what_each_alone_would_be(
    tmp_path: Path, database: str, seed: int
) -> None:
    """Of documents that stand in each other's way the same ones are claimed, and the same is written of each."""
    found = []
    for way in ("alone", "together"):
        chance = Random(seed)
        with journal_on(database, tmp_path / way) as where:
            journal = open_journal(where)
            begun(journal, chance)
            # in the order in which a transaction does them
            documents = sorted(drawn(chance, seed), key=lambda drawn: drawn[0].identity)
            works = [partial(become, journal, one, place, after) for place, (one, after) in enumerate(documents)]
            claimed = together(journal, works) if way == "together" else [work() for work in works]
            # ids that were given back are given out again alone only
            kept = {place: int(text) for place, text in enumerate(claimed) if text.isdigit()}
            settling = [
                partial(journal.settle, record(), own, outcome(f"K{place}", place, Status.ACCEPTED), NOW, "evidence")
                for place, own in kept.items()
            ]
            _ = together(journal, settling) if way == "together" else [work() for work in settling]
            found.append(
                ([text if place not in kept else "claimed" for place, text in enumerate(claimed)], written(where))
            )
            journal.close()

    assert found[0] == found[1]
    assert 3 < len(kept) < COUNT


def test_what_is_left_to_be_settled_is_settled_with_the_next_claim(journal: Journal, file: Path) -> None:
    """It takes no transaction of its own, and is committed no later than what comes after it."""

    def states() -> list[tuple[str, str]]:
        with rows_of(str(file)) as connection:
            found = connection.exec_driver_sql("SELECT key, state FROM attempt ORDER BY attempt_id")
            return [(row[0], row[1]) for row in found]

    first, second = (Document(key=key, rows=(2,), identity=key, fingerprint=key * 32) for key in ("F1", "F2"))
    attempt = journal.claim(record(), first, outcome("F1"), NOW, NOW)
    before = journal._group.commits
    wait = journal.settle(record(), attempt, outcome("F1", status=Status.ACCEPTED), NOW, wait=False)
    assert states() == [("F1", "sending")]
    journal.claim(record(), second, outcome("F2", 1), NOW, NOW)

    assert states() == [("F1", "accepted"), ("F2", "sending")]
    wait()
    assert journal._group.commits == before + 1


@pytest.mark.parametrize("database", BOTH)
def test_hardly_more_are_being_sent_in_the_journal_than_there_are_workers(tmp_path: Path, database: str) -> None:
    """When a write arrives, all that its worker sent before is settled; of four, two more may be claimed."""
    seen: list[dict[str, int]] = []

    def look(where: str, key: str, _server: FaultServer) -> None:
        with rows_of(where) as connection:
            rows = connection.execute(sa.text("SELECT state, count(*) FROM attempt GROUP BY state")).all()
            own = connection.execute(sa.text("SELECT state FROM attempt WHERE key = :key"), {"key": key}).scalar()
            seen.append({**{row[0]: row[1] for row in rows}, "own": own})

    with FaultServer() as server, journal_on(database, tmp_path) as where:
        for key in keys(40):
            server.script[key] = [Deed(meanwhile=partial(look, where, key))]
        make_project(tmp_path / "project", invoices(40, 40))
        ran = import_into(tmp_path / "project", server.base_url, workers=WORKERS, options=("--journal", where))

    assert (ran.code, ran.counts, len(seen)) == (0, {"accepted": 40}, 40)
    assert {found["own"] for found in seen} == {"sending"}
    assert max(found["sending"] for found in seen) <= WORKERS + 2
