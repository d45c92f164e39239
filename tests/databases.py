"""Journals on both databases: an SQLite file, and a fresh PostgreSQL one where TEST_POSTGRESQL_URL names a server."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

#: A database of a server in which databases may be made, such as postgresql+psycopg://postgres@127.0.0.1:5432/postgres.
SERVER = os.environ.get("TEST_POSTGRESQL_URL", "")
needs_postgresql = pytest.mark.skipif(not SERVER, reason="TEST_POSTGRESQL_URL names no PostgreSQL server")
BOTH = ("sqlite", pytest.param("postgresql", marks=needs_postgresql))


#: Databases that were used and are empty again: to make and drop one costs the server several times as much.
_EMPTY: list[str] = []


@contextmanager
def fresh_database() -> Iterator[str]:
    """Give out an empty PostgreSQL database, under a name that nobody has heard before; yield its address."""
    name = _EMPTY.pop() if _EMPTY else _name()
    try:
        with _server().connect() as server:
            if not server.exec_driver_sql("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).first():
                server.exec_driver_sql(f'CREATE DATABASE "{name}"')
        yield _url(name)
    finally:
        name = _emptied(name)
        _EMPTY.append(name)


def drop_databases() -> None:
    """Drop those that this process has made."""
    if _EMPTY:
        with _server().connect() as server:
            while _EMPTY:
                server.exec_driver_sql(f'DROP DATABASE IF EXISTS "{_EMPTY.pop()}" WITH (FORCE)')
        _server().dispose()


# where no session of pytest ends
atexit.register(drop_databases)


def _emptied(name: str) -> str:
    """Empty a database and give it another name, so that nothing of the last test finds it again; return the name."""
    after = _name()
    with _server().connect() as server:
        # waits until each of them is gone
        server.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        server.exec_driver_sql(f'ALTER DATABASE "{name}" RENAME TO "{after}"')
    own = sa.create_engine(_url(after), isolation_level="AUTOCOMMIT")
    try:
        with own.connect() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    finally:
        own.dispose()
    return after


@cache
def _server() -> sa.Engine:
    return sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True)


def _name() -> str:
    return f"journal_{uuid4().hex}"


def _url(name: str) -> str:
    return sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)


@contextmanager
def journal_on(database: str, folder: Path) -> Iterator[str]:
    """Yield where a new journal lies: a file in a folder, or a database of its own."""
    if database == "sqlite":
        yield str(folder / "private" / "journal.db")
    else:
        with fresh_database() as url:
            yield url


@contextmanager
def rows_of(where: str) -> Iterator[sa.Connection]:
    """Open a journal from outside, without the program."""
    engine = sa.create_engine(where if "://" in where else f"sqlite:///{where}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
