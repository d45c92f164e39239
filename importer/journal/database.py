"""Open the database of a journal: an SQLite file or a PostgreSQL server, refused where a commit would not last.

Every statement of the journal is one that both take.
"""

import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from importer.errors import JournalError, advice_for
from importer.journal import tables
from importer.journal.examination import QUESTION, WHOLE, Examination
from importer.journal.shares import share_of

#: A firewall forgets a connection that says nothing while a limit is waited for.
_CONNECTING: Final = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 6}
_FORM: Final = "Write it as postgresql+psycopg://USER@HOST/DATABASE, the password in PGPASSWORD or ~/.pgpass."
#: As many as one machine's threads can want at once.
_CONNECTIONS: Final = 5


def is_url(where: str | Path) -> bool:
    """Tell whether a journal is named by an address instead of a file."""
    return isinstance(where, str) and "://" in where


def examine(where: str | Path) -> Examination | None:
    """Begin to look through a journal's file, which is opened later; a server looks after its own."""
    return None if is_url(where) else Examination(Path(where))


def open_database(
    where: str | Path, *, create: bool = True, examined: Examination | None = None
) -> tuple[sa.Engine, str]:
    """Open a journal's database, making its tables where there are none; return it and its name for messages.

    A file that was `examined` is not looked through again.

    Raises: JournalError when it is not a journal, is damaged, is newer than this program, or cannot be written.
    """
    if isinstance(where, str) and is_url(where):
        engine, shown = _server(where)
    else:
        engine, shown = _file(Path(where), create=create)
    is_whole = engine.dialect.name != "sqlite" or (examined is not None and examined.passed(Path(where)))
    try:
        with engine.begin() as connection:
            _check_format(connection, shown, is_whole=is_whole)
    except DatabaseError as error:
        engine.dispose()
        raise refusal(shown, error) from None
    except JournalError:
        engine.dispose()
        raise
    return engine, shown


def _file(path: Path, *, create: bool) -> tuple[sa.Engine, str]:
    if not create and not path.exists():
        raise JournalError(
            f"There is no journal {str(path)!r}: change into the folder of the mapping, or of targets.yaml, or the "
            "first 'visma-import run' makes it."
        )
    share = share_of(path)
    if share:
        raise JournalError(
            f"The journal {str(path)!r} lies on a network share ({share}), where locks and commits do not hold, so "
            "that a document could be sent twice. Nothing was sent. Name a file on a disk of this machine with "
            "--journal, or a PostgreSQL journal."
        )
    _make_private(path)
    # not as a text: a question mark in a name would end it
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
    prepare_sqlite(engine)
    return engine, str(path)


def prepare_sqlite(engine: sa.Engine) -> None:
    """Let every connection of an SQLite engine keep what makes a commit last."""
    sa.event.listen(engine, "connect", _set_sqlite)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def _server(url: str) -> tuple[sa.Engine, str]:
    try:
        parts = sa.make_url(url)
        shown = parts.set(query={}).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        raise JournalError(f"The journal's address cannot be read. {_FORM}") from None
    if "@" in (parts.host or ""):
        # what stands before it is the end of a password, and would be shown with the host
        raise JournalError(f"The journal's address holds two '@'. Write %40 for the one in the password. {_FORM}")
    if parts.drivername not in {"postgresql", "postgresql+psycopg"}:
        raise JournalError(f"A journal is a file or a PostgreSQL database, not {parts.drivername!r}. {_FORM}")
    parts = parts.set(drivername="postgresql+psycopg")
    try:
        engine = sa.create_engine(parts, connect_args=_CONNECTING, pool_size=_CONNECTIONS, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise JournalError(
            "A PostgreSQL journal needs the package psycopg: python -m pip install 'visma-import[postgresql]'."
        ) from None
    sa.event.listen(engine, "connect", _set_postgresql)
    return engine, shown


def _make_private(path: Path) -> None:
    """Make the journal's file and folder readable by their owner alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # only where it is missing: closing a file that SQLite has open in this process would let go of its locks
        if path.is_dir() or not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise JournalError(
            f"The journal {str(path)!r} cannot be written ({reason}), so nothing is sent. {advice_for(error)} Or name "
            "another with --journal."
        ) from None


def _set_sqlite(connection: Any, _record: Any) -> None:
    """Set what makes a commit durable on a power cut, and refuse to go on where it does not hold."""
    connection.isolation_level = None
    wanted = {"journal_mode": "delete", "synchronous": 3, "foreign_keys": 1}
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA fullfsync = ON")
    for name, value in wanted.items():
        found = connection.execute(f"PRAGMA {name}").fetchone()[0]
        if found != value:
            raise JournalError(
                f"SQLite does not keep {name} = {value} (it says {found!r}), so the journal is not safe here. Name a "
                "file on another disk with --journal."
            )


def _set_postgresql(connection: Any, _record: Any) -> None:
    """Let a commit return only once it is on disk, and refuse a server that does not write to disk."""
    connection.execute("SET synchronous_commit = on")
    found = connection.execute("SHOW fsync").fetchone()[0]
    connection.commit()
    if found != "on":
        raise JournalError(
            f"The PostgreSQL server has fsync = {found}, so the journal is not safe there. Set fsync = on."
        )


def _check_format(connection: sa.Connection, shown: str, *, is_whole: bool) -> None:
    if connection.dialect.name == "postgresql":
        # two machines may open an empty database at once; freed at the end of the transaction
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20271127)")
    if not is_whole:
        check_whole(connection, shown)
    names = set(sa.inspect(connection).get_table_names())
    if not names:
        tables.metadata.create_all(connection)
        connection.execute(tables.meta.insert(), [{"name": "format", "value": str(tables.FORMAT)}])
        return
    found = None
    if "meta" in names and {"run", "attempt", "result"} <= names:
        found = connection.execute(sa.select(tables.meta.c.value).where(tables.meta.c.name == "format")).scalar()
    if found is None:
        raise JournalError(
            f"{shown!r} is a database of another program, not a journal. Name another one with --journal."
        )
    if not found.isdigit() or int(found) > tables.FORMAT:
        raise JournalError(
            f"The journal {shown!r} has format {found}; this program knows up to {tables.FORMAT}. Update visma-import."
        )
    tables.migrate(connection, int(found))


def check_whole(connection: sa.Connection, shown: str) -> None:
    """Refuse an SQLite file whose pages do not fit together.

    Raises: JournalError.
    """
    if connection.exec_driver_sql(QUESTION).scalar() != WHOLE:
        raise JournalError(
            f"The journal {shown!r} is damaged, so nothing is sent. Restore it from a copy, or name another file with "
            "--journal: what is in Visma already is looked up before anything is sent."
        )


def is_held(error: DatabaseError) -> bool:
    """Tell whether another program held an SQLite file for as long as is waited."""
    return "locked" in str(error.orig)


def refusal(shown: str, error: DatabaseError) -> JournalError:
    """Return what a failure of the database means to the user."""
    reason = re.sub(r"\s+", " ", str(error.orig)).strip().rstrip(".?")
    hint = "Nothing more is sent until it can be written."
    if "full" in reason or "No space left" in reason:
        hint = "Make room on the disk, then run again."
    if "not a database" in reason or "malformed" in reason:
        hint = "It is damaged or no journal. Restore it from a copy, or name another file with --journal."
    if is_held(error):
        hint = "Another program holds it. Wait until that has ended, then run again."
    if "unable to open" in reason:
        hint = "Look whether its folder can be written and not too many files are open, then run again."
    if isinstance(error, OperationalError) and "connection" in reason:
        hint = "Check its address and that the server runs, then run again."
    return JournalError(f"The journal {shown!r} cannot be used: {reason}. {hint}")
