"""Keep the company in one SQLite file, which several processes may serve at once.

A rollback journal instead of a write-ahead log: a killed process leaves a file that the next one repairs.
"""

import base64
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from importer.errors import StartError, advice_for, reason_of
from importer.sandbox import company, jsontext
from importer.sandbox.catalog import Catalog, Resource

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value)",
    """CREATE TABLE documents (
        id INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, number TEXT NOT NULL,
        status TEXT NOT NULL, body TEXT NOT NULL, created TEXT NOT NULL, modified TEXT NOT NULL,
        stamp INTEGER NOT NULL, seed INTEGER NOT NULL, opens_at REAL, UNIQUE (resource, number))""",
    "CREATE INDEX opening ON documents (opens_at) WHERE opens_at IS NOT NULL",
    """CREATE TABLE actions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, number TEXT NOT NULL,
        action TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL)""",
    """CREATE TABLE tokens (
        token TEXT PRIMARY KEY, tenant TEXT NOT NULL, scope TEXT NOT NULL, expires REAL NOT NULL)""",
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, received REAL NOT NULL, due REAL NOT NULL, request TEXT NOT NULL, status INTEGER,
        headers TEXT, body BLOB)""",
)
_EMPTIED = ("meta", "documents", "actions", "tokens", "jobs")
_FILE: Final = "sandbox.db"
#: What SQLite says of a file that it cannot read as a database, or as this one.
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_SEED_TIME = "2025-01-01T00:00:00.000"


@dataclass(frozen=True, slots=True)
class Stored:
    """Hold one document of the company."""

    id: int
    number: str
    status: str
    body: dict[str, Any]
    created: str
    modified: str
    stamp: str


class Store:
    """Read and change the company; one connection, used by one thread at a time.

    Raises: StartError when its file cannot be used.
    """

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._lock = threading.RLock()
        with _explained(folder):
            self._db = connect(folder, create=True)
            try:
                self._db.create_function("fold", 1, lambda text: (text or "").casefold(), deterministic=True)
                with self.change():
                    if not self._db.execute("PRAGMA user_version").fetchone()[0]:
                        _build(self._db, catalog)
                        _fill(self._db)
                # a state without its company cannot be served
                self.meta("company")
            except sqlite3.DatabaseError:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold the only right to write; everything inside happens at once or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def meta(self, key: str) -> Any:
        """Return one fact about the state."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return found[0][0] if found else None

    def count(self, key: str, start: int = 1) -> int:
        """Return the next number of a counter."""
        sql = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value"
        return int(self.rows(sql, (key, start))[0][0])

    def next_number(self, resource: Resource) -> str:
        """Return the next number of a resource's series, those already taken passed over."""
        while True:
            counted = self.count(f"series {resource.name}", resource.series.start)
            number = str(counted).zfill(resource.series.width)
            if self.find(resource.name, number) is None:
                return number

    def find(self, resource: str, number: str) -> Stored | None:
        """Return a document by its number."""
        found = self.select("resource = ? AND number = ?", (resource, number))
        return found[0] if found else None

    def select(self, condition: str, values: Sequence[Any], tail: str = "") -> list[Stored]:
        """Return the documents that a condition of ours picks, the oldest first."""
        columns = "id, number, status, body, created, modified, stamp"
        sql = f"SELECT {columns} FROM documents WHERE {condition} ORDER BY id {tail}"  # noqa: S608 - no foreign text
        return [
            Stored(row[0], row[1], row[2], jsontext.read(row[3]), row[4], row[5], stamp_text(row[6]))
            for row in self.rows(sql, values)
        ]

    def insert(self, resource: str, number: str, status: str, body: Mapping[str, Any], now: str) -> str:
        """Keep a new document and return its stamp."""
        stamp = self.count("stamp")
        sql = """INSERT INTO documents (resource, number, status, body, created, modified, stamp, seed)
                 VALUES (?, ?, ?, ?, ?, ?, ?, 0)"""
        self.rows(sql, (resource, number, status, jsontext.write(body), now, now, stamp))
        return stamp_text(stamp)

    def update(self, stored: Stored, status: str, body: Mapping[str, Any], now: str) -> str:
        """Keep a document's new content and return its new stamp."""
        stamp = self.count("stamp")
        sql = "UPDATE documents SET status = ?, body = ?, modified = ?, stamp = ? WHERE id = ?"
        self.rows(sql, (status, jsontext.write(body), now, stamp, stored.id))
        return stamp_text(stamp)

    def delete(self, stored: Stored) -> None:
        """Forget a document."""
        self.rows("DELETE FROM documents WHERE id = ?", (stored.id,))

    def open_later(self, stored: Stored, when: float) -> None:
        """Note that a document becomes Open at a time."""
        self.rows("UPDATE documents SET opens_at = ? WHERE id = ?", (when, stored.id))

    def open_due(self, now: float, moment: str) -> None:
        """Open the documents whose time has come."""
        due = "SELECT id FROM documents WHERE opens_at <= ?"
        if not self.rows(due, (now,)):
            return
        with self.change():
            for (document,) in self.rows(due, (now,)):
                sql = """UPDATE documents SET status = 'Open', opens_at = NULL, modified = ?, stamp = ?
                         WHERE id = ?"""
                self.rows(sql, (moment, self.count("stamp"), document))

    def note_action(self, resource: str, number: str, action: str, body: Mapping[str, Any], now: str) -> None:
        """Keep an action that was carried out, such as a letter."""
        sql = "INSERT INTO actions (resource, number, action, body, at) VALUES (?, ?, ?, ?, ?)"
        self.rows(sql, (resource, number, action, jsontext.write(body), now))


def reset(folder: Path) -> None:
    """Empty the company and give it a new id, also while another process serves it; a damaged one is made anew.

    Raises: StartError when its file cannot be used.
    """
    with _explained(folder):
        try:
            _empty(folder)
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise
            # whoever uses it next makes it
            for name in (_FILE, f"{_FILE}-journal"):
                (folder / name).unlink(missing_ok=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say what to do where the state's file cannot be used.

    Raises: StartError.
    """
    try:
        yield
    except OSError as error:
        said = f"cannot be written: {reason_of(error)}. {advice_for(error)}"
    except sqlite3.DatabaseError as error:
        if _is_damaged(error):
            said = f"is damaged ({error}). Say visma-import sandbox reset, which makes it anew, then run again."
        else:
            said = f"cannot be used ({error}). See that you may write there and that the disk has room, then run again."
    else:
        return
    raise StartError(f"The sandbox's state {str(folder / _FILE)!r} {said}")


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    # above the lowest byte it says more exactly what is damaged
    return error.sqlite_errorcode & 0xFF in _DAMAGED


def _empty(folder: Path) -> None:
    db = connect(folder, create=True)
    try:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0]:
            for table in _EMPTIED:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own table names
            _fill(db)
        db.execute("COMMIT")
    finally:
        db.close()


def connect(folder: Path, *, create: bool) -> sqlite3.Connection:
    """Open the state's file, which only its owner can read; with `create` make it, and the folder, first."""
    path = folder / _FILE
    if create:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    uri = f"{path.resolve().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA synchronous = OFF")
    return db


def stamp_text(counter: int) -> str:
    """Return a version's stamp: the counter's eight bytes in base64."""
    return base64.b64encode(counter.to_bytes(8, "big")).decode("ascii")


def body_path(fields: str) -> str:
    """Return the SQL that reads a field, given as a dotted path of wrapped fields, from a stored body."""
    names = fields.split(".")
    if not all(name.isidentifier() for name in names):
        raise ValueError(f"{fields!r} is not a path of fields.")
    return f"json_extract(body, '$.{'.value.'.join(names)}.value')"


def _build(db: sqlite3.Connection, catalog: Catalog) -> None:
    """Make the tables, and an index for each field that a filter compares."""
    for table in _TABLES:
        db.execute(table)
    filters = {spec for resource in catalog.resources.values() for spec in resource.filters.values()}
    for path in sorted(spec.removeprefix("equals ") for spec in filters if spec.startswith("equals ")):
        name = path.replace(".", "_")
        db.execute(f"CREATE INDEX by_{name} ON documents (resource, {body_path(path)})")
    db.execute("PRAGMA user_version = 1")


def _fill(db: sqlite3.Connection) -> None:
    """Give an empty state its company id and its customers."""
    facts = company.load()
    db.execute("INSERT INTO meta VALUES ('company', ?)", (str(uuid.uuid4()),))
    stamp = 0
    for number, body in company.customers(facts):
        stamp += 1
        db.execute(
            """INSERT INTO documents (resource, number, status, body, created, modified, stamp, seed)
               VALUES (?, ?, 'Active', ?, ?, ?, ?, 1)""",
            (facts.seed["resource"], number, jsontext.write(body), _SEED_TIME, _SEED_TIME, stamp),
        )
    db.execute("INSERT INTO meta VALUES ('stamp', ?)", (stamp,))
    db.execute("INSERT INTO meta VALUES ('writes', 0)")
