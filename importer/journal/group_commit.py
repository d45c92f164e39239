"""Commit what several threads write in one transaction: whoever comes first takes along what waits behind it.

A commit waits for the disk, so eight threads that commit one by one wait for each other; here they wait for one.
Nothing returns before its own commit is on disk.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby
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
    together: "Together | None" = None
    item: Any = None
    done: bool = False
    result: Any = None
    error: BaseException | None = None
    #: held by the thread that waits, until the work is done or is that thread's to lead
    gate: Any = None
    leads: bool = False


#: Does pieces of the same kind at once: from what each is about to what each returns.
Together = Callable[[sa.Connection, list[Any]], list[Any]]


@dataclass
class GroupCommit:
    """Run pieces of work, each a function of the connection that may be run again, in shared transactions."""

    transaction: Callable[[], AbstractContextManager[sa.Connection]]
    #: transactions committed so far
    commits: int = 0
    _waiting: list[_Work] = field(default_factory=list)
    _queue: Any = field(default_factory=threading.Lock)
    #: True while a thread carries work out, or is about to
    _led: bool = False

    def run(
        self,
        job: Callable[[sa.Connection], T],
        order: tuple[int, str] = (1, ""),
        together: Together | None = None,
        item: Any = None,
    ) -> T:
        """Do a piece of work and return what it returned, once it is committed.

        `order` sorts the pieces of one transaction, so that two processes never wait for each other in a circle.
        `together` does what `job` does, for the `item`s of several pieces that stand side by side in that order.
        """
        return self.submit(job, order, together, item)()

    def submit(
        self,
        job: Callable[[sa.Connection], T],
        order: tuple[int, str] = (1, ""),
        together: Together | None = None,
        item: Any = None,
    ) -> Callable[[], T]:
        """Let a piece of work go along with the next transaction; return what waits until it is committed.

        Nothing that is submitted or run later is committed before it. It is committed only if somebody waits: for it,
        or for a piece that came later.
        """
        work = _Work(job, order, together, item)
        with self._queue:
            self._waiting.append(work)
        return lambda: self._finish(work)

    def _finish(self, work: _Work) -> Any:
        with self._queue:
            if not work.done and not self._led:
                self._led = work.leads = True
            elif not work.done:
                work.gate = threading.Lock()
                work.gate.acquire()
        try:
            if work.gate is not None:
                work.gate.acquire()
            if work.leads and not work.done:
                self._carry_out()
        finally:
            self._hand_on(work)
        if work.error is not None:
            raise work.error
        return work.result

    def _hand_on(self, work: _Work) -> None:
        """Wait no more; let the first of those that do lead, where this one did."""
        with self._queue:
            work.gate = None
            if work.leads:
                work.leads = False
                follower = next((one for one in self._waiting if one.gate is not None), None)
                self._led = follower is not None
                if follower is not None:
                    follower.leads = True
                    follower.gate.release()

    def _carry_out(self) -> None:
        with self._queue:
            came, self._waiting = self._waiting, []
        batch = sorted(came, key=lambda work: work.order)
        try:
            self._commit(batch)
        except Exception as error:  # noqa: BLE001 - handed to the thread whose work it is
            # by themselves as they came, so that none is committed before what was submitted earlier
            for work in came:
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
            with self._queue:
                for work in batch:
                    work.done = True
                    if work.gate is not None and not work.leads:
                        work.gate.release()

    def _commit_alone(self, work: _Work) -> None:
        """Try one piece by itself, so that a failure meets only the one that caused it."""
        try:
            self._commit([work])
        except Exception as error:  # noqa: BLE001 - handed to the thread whose work it is
            work.error = error

    def _commit(self, batch: list[_Work]) -> None:
        def all_of_them(connection: sa.Connection) -> None:
            for together, works in groupby(batch, key=lambda work: work.together):
                several = list(works)
                if together is None or len(several) == 1:
                    for work in several:
                        work.result = work.job(connection)
                else:
                    results = together(connection, [work.item for work in several])
                    for work, result in zip(several, results, strict=True):
                        work.result = result

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
