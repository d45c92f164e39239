"""Journals on both databases: an SQLite file, and a fresh PostgreSQL one where TEST_POSTGRESQL_URL names a server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

#: A database of a server in which databases may be made, such as postgresql+psycopg://postgres@127.0.0.1:5432/postgres.
SERVER = os.environ.get("TEST_POSTGRESQL_URL", "")
needs_postgresql = pytest.mark.skipif(not SERVER, reason="TEST_POSTGRESQL_URL names no PostgreSQL server")
BOTH = ("sqlite", pytest.param("postgresql", marks=needs_postgresql))


@contextmanager
def fresh_database() -> Iterator[str]:
    """Make an empty PostgreSQL database and drop it in the end; yield its address."""
    server = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT")
    name = f"journal_{uuid4().hex}"
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        yield sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        server.dispose()


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
