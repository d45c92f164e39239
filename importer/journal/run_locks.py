"""Let other processes see whether a run is still alive, by a lock that dies with its process.

What a live run has claimed may not have been sent yet, however long ago it was claimed (its machine may have slept):
nobody else may conclude anything about it.
"""

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.exc import DatabaseError

from importer.errors import JournalError

#: Opens a transaction.
Begin = Callable[[], AbstractContextManager[sa.Connection]]
#: First half of the lock's name on PostgreSQL; the second is made of the run's id.
_OURS: Final = 20271127
_WAIT_S: Final = 5.0


class Holder:
    """Keep the lock of a run on PostgreSQL on the one connection by which the run writes.

    So nothing is committed there while others could take the run for dead, also after a connection was lost. The lock
    is a shared one: a connection that the server has not given up yet does not keep the run from its next.
    """

    def __init__(self, engine: sa.Engine, run_id: str) -> None:
        self._engine = engine
        self._names = _names(run_id)
        self._turn = threading.Lock()
        self._connection: sa.Connection | None = None

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction on the connection that holds the lock.

        Raises: DatabaseError.
        """
        with self._turn, self._held() as connection, connection.begin():
            yield connection

    @contextmanager
    def _held(self) -> Iterator[sa.Connection]:
        if self._connection is not None and self._connection.invalidated:
            self._let_go()
        if self._connection is None:
            connection = self._engine.connect()
            with connection.begin():
                connection.execute(sa.text("SELECT pg_advisory_lock_shared(:ours, :run)"), self._names)
            self._connection = connection
        yield self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DatabaseError):
                connection.close()

    def close(self) -> None:
        """Give the lock back."""
        with self._turn:
            if self._connection is not None and not self._connection.invalidated:
                with suppress(DatabaseError), self._connection.begin():
                    query = sa.text("SELECT pg_advisory_unlock_shared(:ours, :run)")
                    self._connection.execute(query, self._names)
            self._let_go()


@contextmanager
def alive(engine: sa.Engine, run_id: str) -> Iterator[Begin]:
    """Hold the lock of a run, to be taken before the journal knows of the run; yield how it opens transactions.

    Raises: JournalError or DatabaseError when it cannot be had.
    """
    if engine.dialect.name == "postgresql":
        holder = Holder(engine, run_id)
        try:
            with holder.begin():
                pass
            yield holder.begin
        finally:
            holder.close()
        return
    file = _file(engine, run_id)
    try:
        lock = FileLock(file, timeout=_WAIT_S)
        lock.acquire()
    except (OSError, Timeout) as error:
        raise JournalError(
            f"The file {str(file)!r} beside the journal cannot be locked ({error}); nothing was sent. See that its "
            "folder can be written, or name another journal with --journal."
        ) from None
    try:
        # one connection for all of the run's transactions, so that not each takes one out and puts it back
        with engine.connect() as connection:
            yield lambda: _within(connection)
    finally:
        lock.release()
        with suppress(OSError):
            file.unlink(missing_ok=True)


@contextmanager
def _within(connection: sa.Connection) -> Iterator[sa.Connection]:
    """Open a transaction on a connection.

    Raises: DatabaseError.
    """
    with connection.begin():
        yield connection


def is_alive(engine: sa.Engine, run_id: str) -> bool:
    """Tell whether the process of a run still lives."""
    if engine.dialect.name == "postgresql":
        query = sa.text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = CAST(:ours AS oid) "
            "AND objid = CAST(CAST(:run AS bigint) & 4294967295 AS oid) AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with engine.connect() as connection:
            return bool(connection.execute(query, _names(run_id)).scalar())
    file = _file(engine, run_id)
    if not file.exists():
        return False
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        # doubt by default: it is taken for alive
        return True
    lock.release()
    with suppress(OSError):
        file.unlink(missing_ok=True)
    return False


def _names(run_id: str) -> dict[str, int]:
    return {"ours": _OURS, "run": zlib.crc32(run_id.encode()) - 2**31}


def _file(engine: sa.Engine, run_id: str) -> Path:
    return Path(f"{engine.url.database}-run-{run_id}.lock")
