"""Commit what several threads write in one transaction: whoever comes first takes along what waits behind it.

A commit waits for the disk, so eight threads that commit one by one wait for each other; here they wait for one.
Nothing returns before its own commit is on disk.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from importer.errors import JournalError

T = TypeVar("T")
#: Seconds to wait before a transaction is tried again whose connection was lost.
WAITS_S: Final = (0.2, 1.0, 3.0)


class ConnectionLost(JournalError):  # noqa: N818 - reads as what happened
    """Report that the database's connection broke; the transaction may have been committed or not."""


class StillHeld(JournalError):  # noqa: N818 - the same
    """Report that another program held the database for as long as is waited."""


@dataclass
class _Work:
    job: Callable[[sa.Connection], Any]
    order: tuple[int, str]
    done: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass
class GroupCommit:
    """Run pieces of work, each a function of the connection that may be run again, in shared transactions."""

    transaction: Callable[[], AbstractContextManager[sa.Connection]]
    #: transactions committed so far
    commits: int = 0
    _waiting: list[_Work] = field(default_factory=list)
    _queue: Any = field(default_factory=threading.Lock)
    _turn: Any = field(default_factory=threading.Lock)

    def run(self, job: Callable[[sa.Connection], T], order: tuple[int, str] = (1, "")) -> T:
        """Do a piece of work and return what it returned, once it is committed.

        `order` sorts the pieces of one transaction, so that two processes never wait for each other in a circle.
        """
        work = _Work(job, order)
        with self._queue:
            self._waiting.append(work)
        with self._turn:
            if not work.done:
                self._carry_out()
        if work.error is not None:
            raise work.error
        result: T = work.result
        return result

    def _carry_out(self) -> None:
        with self._queue:
            batch, self._waiting = sorted(self._waiting, key=lambda work: work.order), []
        try:
            self._commit(batch)
        except Exception as error:  # noqa: BLE001 - handed to the thread whose work it is
            for work in batch:
                if len(batch) == 1 or isinstance(error, StillHeld | ConnectionLost):
                    # each by itself would wait as long again
                    work.error = error
                else:
                    self._commit_alone(work)
        except BaseException as error:
            for work in batch:
                work.error = error
            raise
        finally:
            for work in batch:
                work.done = True

    def _commit_alone(self, work: _Work) -> None:
        """Try one piece by itself, so that a failure meets only the one that caused it."""
        try:
            self._commit([work])
        except Exception as error:  # noqa: BLE001 - handed to the thread whose work it is
            work.error = error

    def _commit(self, batch: list[_Work]) -> None:
        def all_of_them(connection: sa.Connection) -> None:
            for work in batch:
                work.result = work.job(connection)

        patiently(self.transaction, all_of_them)
        self.commits += 1


def patiently(transaction: Callable[[], AbstractContextManager[sa.Connection]], job: Callable[[sa.Connection], T]) -> T:
    """Do a piece of work in a transaction; again, a few times, where the connection was lost.

    Raises: JournalError.
    """
    for wait_s in WAITS_S:
        try:
            with transaction() as connection:
                return job(connection)
        except ConnectionLost:
            time.sleep(wait_s)
    with transaction() as connection:
        return job(connection)
