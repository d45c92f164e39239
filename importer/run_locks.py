"""Let other processes see whether a run is still alive, by a lock that dies with its process.

What a live run has claimed may not have been sent yet, however long ago it was claimed (its machine may have slept):
nobody else may conclude anything about it.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.exc import DatabaseError

from importer.errors import JournalError

#: First half of the lock's name on PostgreSQL; the second is made of the run's id.
_OURS: Final = 20271127
_WAIT_S: Final = 5.0


@contextmanager
def alive(engine: sa.Engine, run_id: str) -> Iterator[None]:
    """Hold the lock of a run; to be taken before the journal knows of the run.

    Raises: JournalError when it cannot be had.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(:ours, :run)"), _names(run_id))
            try:
                yield
            finally:
                with suppress(DatabaseError):
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:ours, :run)"), _names(run_id))
        return
    file = _file(engine, run_id)
    try:
        lock = FileLock(file, timeout=_WAIT_S)
        lock.acquire()
    except (OSError, Timeout) as error:
        raise JournalError(
            f"The file {str(file)!r} beside the journal cannot be locked ({error}); nothing was sent."
        ) from None
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            file.unlink(missing_ok=True)


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
