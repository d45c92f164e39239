"""What several threads write while a commit is going on shares the next one, and a failure meets only its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from firm import wait_for

from importer.journal.group_commit import WAITS_S, ConnectionLost, GroupCommit, StillHeld

WORKS = 8
Job = Callable[[sa.Connection], int]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = sa.create_engine(f"sqlite:///{tmp_path / 'works.db'}")
    with opened.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE work (number INTEGER PRIMARY KEY, place INTEGER)")
    yield opened
    opened.dispose()


def note(number: int) -> Job:
    """Return a piece of work that writes a number down after those that are there."""

    def job(connection: sa.Connection) -> int:
        query = "INSERT INTO work VALUES (?, (SELECT count(*) FROM work))"
        connection.exec_driver_sql(query, (number,))
        return number

    return job


def numbers(engine: sa.Engine) -> list[int]:
    """Read what was written, in the order in which it was, by another connection."""
    with engine.connect() as connection:
        return [number for (number,) in connection.exec_driver_sql("SELECT number FROM work ORDER BY place")]


def carried_out(
    transaction: Callable[[], AbstractContextManager[Any]], jobs: list[Job]
) -> tuple[int, list[Future[int]]]:
    """Carry the first piece of work out, and hold its transaction until all others wait; return commits and futures."""
    group, begun, held = GroupCommit(transaction), threading.Event(), threading.Event()

    def first(connection: sa.Connection) -> int:
        begun.set()
        assert held.wait(20)
        return jobs[0](connection)

    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(group.run, first)]
        assert begun.wait(20)
        # the later ones are to be carried out first
        futures += [pool.submit(group.run, job, (1, f"{WORKS - place}")) for place, job in enumerate(jobs[1:], start=1)]
        wait_for(lambda: len(group._waiting) == len(jobs) - 1)
        held.set()
    return group.commits, futures


def test_what_waits_for_a_commit_shares_the_next_one_in_its_own_order(engine: sa.Engine) -> None:
    """Eight pieces of work, two commits; each is told what it returned itself, and all of it is there."""
    commits, futures = carried_out(engine.begin, [note(number) for number in range(WORKS)])

    assert commits == 2
    assert [future.result() for future in futures] == list(range(WORKS))
    assert numbers(engine) == [0, *range(WORKS - 1, 0, -1)]


def test_a_piece_of_work_that_fails_in_a_shared_transaction_fails_alone(engine: sa.Engine) -> None:
    """The others are written all the same, each in a commit of its own; nothing of the failed one is there."""

    def fail(connection: sa.Connection) -> int:
        note(100)(connection)
        raise KeyError("mine")

    commits, futures = carried_out(engine.begin, [*map(note, range(WORKS - 1)), fail])

    assert isinstance(futures[-1].exception(), KeyError)
    assert [future.result() for future in futures[:-1]] == list(range(WORKS - 1))
    assert sorted(numbers(engine)) == list(range(WORKS - 1))
    assert commits == 1 + WORKS - 2


@pytest.mark.parametrize(("trouble", "tries"), [(StillHeld, 1), (ConnectionLost, 1 + len(WAITS_S))])
def test_trouble_with_the_database_itself_is_waited_for_once_and_not_by_each(
    engine: sa.Engine, trouble: type[Exception], tries: int
) -> None:
    """Who shares a transaction is told together, after as many tries as one alone would have had."""
    begun = 0

    @contextmanager
    def transaction() -> Iterator[sa.Connection]:
        nonlocal begun
        begun += 1
        if begun > 1:
            raise trouble("the database is gone")
        with engine.begin() as connection:
            yield connection

    commits, futures = carried_out(transaction, [note(number) for number in range(WORKS)])

    assert (commits, begun) == (1, 1 + tries)
    assert futures[0].result() == 0
    assert {type(future.exception()) for future in futures[1:]} == {trouble}
    assert numbers(engine) == [0]
