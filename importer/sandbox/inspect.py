"""Look into a sandbox's state from outside, without changing it: what it holds and what was asked of it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from importer.sandbox import jsontext
from importer.sandbox.store import connect


def documents(folder: Path, resource: str, *, seed: bool = False) -> list[dict[str, Any]]:
    """Return the number, status and body of each stored document, in the order of creation.

    A body has the form in which it is sent, with what the system filled in (date, period, currency, line
    numbers) and without the fields it does not know. The customers every company starts with come only with
    `seed`.
    """
    sql = "SELECT number, status, body FROM documents WHERE resource = ? AND seed <= ? ORDER BY id"
    return [
        {"number": number, "status": status, "body": jsontext.read(body)}
        for number, status, body in _rows(folder, sql, (resource, int(seed)))
    ]


def actions(folder: Path, resource: str, action: str) -> list[dict[str, Any]]:
    """Return the number and body of the actions of a kind that were carried out, in order."""
    sql = "SELECT number, body FROM actions WHERE resource = ? AND action = ? ORDER BY id"
    return [{"number": number, "body": jsontext.read(body)} for number, body in _rows(folder, sql, (resource, action))]


def writes(folder: Path) -> int:
    """Return how many POST, PUT and DELETE requests came in since the last reset, whatever became of them."""
    found = _rows(folder, "SELECT value FROM meta WHERE key = 'writes'", ())
    return int(found[0][0]) if found else 0


def _rows(folder: Path, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """Run a query on the state; one that is not there yet holds nothing."""
    if not (folder / "sandbox.db").exists():
        return []
    with closing(connect(folder, create=False)) as db:
        db.execute("PRAGMA query_only = ON")
        try:
            return db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
