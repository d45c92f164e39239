"""Carry a journal from one place to another as JSON lines, and look whether it is sound.

The first line says what it is, the last one that it is whole. What both journals know is merged: of two states of one
attempt the later settled one counts.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from importer.errors import JournalError
from importer.journal import tables
from importer.journal.journal import Journal

_NAME: Final = "visma-import journal"
_TABLES: Final = {"run": tables.run, "attempt": tables.attempt, "result": tables.result, "applied": tables.applied}
_ORDER: Final = {
    "run": (tables.run.c.started_at, tables.run.c.run_id),
    "attempt": (tables.attempt.c.attempt_id,),
    "result": (tables.result.c.run_id, tables.result.c.position),
    "applied": (tables.applied.c.plan_id,),
}
#: How many keys a message names.
_NAMED: Final = 10


@dataclass
class Merged:
    """Count what an import changed."""

    #: by table; of saved plans where some were carried out
    added: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("run", "attempt", "result"), 0))
    updated: int = 0
    #: by run and place in its plan (or key, from older versions), whether what came in knows more of its latest attempt
    newer: dict[tuple[str, int | str], bool] = field(default_factory=dict)


def dump(journal: Journal) -> list[str]:
    """Return a journal as lines of JSON, as it is at one moment."""

    def job(connection: sa.Connection) -> list[str]:
        lines = [_line({"journal": _NAME, "format": tables.FORMAT})]
        for name, table in _TABLES.items():
            columns = [column for column in table.c if column.name in _columns(name)]
            rows = connection.execute(sa.select(*columns).order_by(*_ORDER[name])).mappings()
            lines += [_line({"table": name, "row": dict(row)}) for row in rows]
        return [*lines, _line({"end": len(lines) - 1})]

    return journal.do(job)


def _columns(table: str) -> set[str]:
    """Name the columns of a table that are carried; a number of its own database is not."""
    return set(_TABLES[table].c.keys()) - {"attempt_id"}


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)


def merge(journal: Journal, lines: Iterable[str], name: str) -> Merged:
    """Take what lines hold into a journal, all of it or nothing; `name` is the file's.

    Raises: JournalError when they are no whole journal, when a run is going, or when both journals hold a live attempt
    at one document.
    """
    rows = list(_read(lines, name))
    for record, _ in journal.runs():
        if not record.finished_at and journal.is_alive(record.run_id):
            raise JournalError(f"Run {record.run_id} is going. Import when it has ended; nothing was imported.")

    def job(connection: sa.Connection) -> Merged:
        merged, known = Merged(), connection.execute(sa.select(sa.func.count()).select_from(tables.attempt)).scalar()
        clashes: list[str] = []
        for table, row in rows:
            _MERGERS[table](connection, row, merged, clashes)
        if clashes:
            raise JournalError(
                f"{name!r} and the journal each hold an attempt of their own at {len(clashes)} documents, so that they "
                f"may be in Visma twice: {', '.join(clashes[:_NAMED])}. Nothing was imported. Look them up in Visma."
            )
        if known and merged.added["attempt"]:
            _put_in_order(connection)
        return merged

    try:
        return journal.do(job)
    except IntegrityError:
        raise JournalError(
            f"{name!r} contradicts itself or the journal; nothing was imported. Export the journal again."
        ) from None


def _read(lines: Iterable[str], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield table and row of each line.

    Raises: JournalError naming the line that cannot be read.
    """
    count, ended = -1, False
    for number, text in enumerate(lines, start=1):
        try:
            data = json.loads(text)
        except ValueError:
            raise JournalError(f"{name!r}, line {number}: it is not JSON. Export the journal again.") from None
        if number == 1:
            _check_head(data, name)
        elif isinstance(data, dict) and "end" in data:
            ended = data["end"] == count
        else:
            table, row = (data.get("table"), data.get("row")) if isinstance(data, dict) else (None, None)
            if table not in _TABLES or not isinstance(row, dict) or set(row) != _columns(table):
                raise JournalError(f"{name!r}, line {number}: it is no line of a journal. Export the journal again.")
            yield table, row
        count += 1
    if not ended:
        raise JournalError(f"{name!r} is not whole: its last line is missing. Export the journal again.")


def _check_head(data: Any, name: str) -> None:
    if not isinstance(data, dict) or data.get("journal") != _NAME:
        raise JournalError(f"{name!r} is no exported journal. 'visma-import journal export FILE' writes one.")
    if data.get("format") != tables.FORMAT:
        raise JournalError(
            f"{name!r} has format {data.get('format')}; this program reads format {tables.FORMAT}. Use the same "
            "version of visma-import on both sides."
        )


def _run(connection: sa.Connection, row: dict[str, Any], merged: Merged, _clashes: list[str]) -> None:
    table = tables.run
    found = connection.execute(sa.select(table).where(table.c.run_id == row["run_id"])).mappings().first()
    if found is None:
        connection.execute(table.insert().values(row))
        merged.added["run"] += 1
    elif found["finished_at"] is None and row["finished_at"] is not None:
        connection.execute(table.update().where(table.c.run_id == row["run_id"]).values(row))
        merged.updated += 1


def _attempt(connection: sa.Connection, row: dict[str, Any], merged: Merged, clashes: list[str]) -> None:
    table = tables.attempt
    found = connection.execute(sa.select(table).where(table.c.uid == row["uid"])).mappings().first()
    newer = found is None or (row["settled_at"] or "") > (found["settled_at"] or "")
    merged.newer[row["run_id"], row["key"] if row["position"] is None else row["position"]] = newer
    if not newer:
        return
    if row["state"] in tables.LIVE and not row["repeatable"]:
        own = (table.c[name] == row[name] for name in ("company", "endpoint", "identity"))
        other = sa.select(table.c.key).where(*own, table.c.state.in_(tables.LIVE), table.c.uid != row["uid"])
        if connection.execute(other).first():
            clashes.append(row["key"])
            return
    if found is None:
        connection.execute(table.insert().values(row))
        merged.added["attempt"] += 1
    else:
        connection.execute(table.update().where(table.c.uid == row["uid"]).values(row))
        merged.updated += 1


def _result(connection: sa.Connection, row: dict[str, Any], merged: Merged, _clashes: list[str]) -> None:
    table = tables.result
    own = (table.c.run_id == row["run_id"], table.c.position == row["position"])
    found = connection.execute(sa.select(table.c.status).where(*own)).scalar()
    if found is None:
        connection.execute(table.insert().values(row))
        merged.added["result"] += 1
    elif found != row["status"]:
        names = ((row["run_id"], row["position"]), (row["run_id"], row["key"]))
        told = [merged.newer[name] for name in names if name in merged.newer]
        if told[0] if told else _goes_on(found, row["status"]):
            connection.execute(table.update().where(*own).values(row))
            merged.updated += 1


def _goes_on(before: str, after: str) -> bool:
    """Tell whether one status of a document can become another one where its run made no attempt at it."""
    return before in {"unknown", "not_sent"} and after != "not_sent"


def _applied(connection: sa.Connection, row: dict[str, Any], merged: Merged, _clashes: list[str]) -> None:
    """Keep the later one of what carried a plan out: its name begins with when it began."""
    table = tables.applied
    own = table.c.plan_id == row["plan_id"]
    found = connection.execute(sa.select(table.c.run_id).where(own)).scalar()
    if found is None:
        connection.execute(table.insert().values(row))
        merged.added["applied"] = merged.added.get("applied", 0) + 1
    elif found < row["run_id"]:
        connection.execute(table.update().where(own).values(row))
        merged.updated += 1


_MERGERS: Final[dict[str, Callable[[sa.Connection, dict[str, Any], Merged, list[str]], None]]] = {
    "run": _run,
    "attempt": _attempt,
    "result": _result,
    "applied": _applied,
}


def _put_in_order(connection: sa.Connection) -> None:
    """Put the attempts of both journals into the order of their claims, for the latest one of a key counts."""
    table = tables.attempt
    when = sa.func.coalesce(table.c.server_at, table.c.claimed_at)
    ids = connection.execute(sa.select(table.c.attempt_id).order_by(when, table.c.attempt_id)).scalars().all()
    # far above all others first, so that no two ever have one number
    for base in (max(ids), 0):
        for number, old in enumerate(ids, start=1):
            now = old if base else max(ids) + number
            connection.execute(table.update().where(table.c.attempt_id == now).values(attempt_id=base + number))


def examine(journal: Journal) -> tuple[list[str], dict[str, int]]:
    """Return what is wrong with a journal, and how many runs, attempts and results it holds."""

    def job(connection: sa.Connection) -> tuple[list[str], dict[str, int]]:
        wrong: list[str] = []
        if connection.dialect.name == "sqlite":
            told = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars().all()
            wrong += [text for text in told if text != "ok"]
            strays = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            wrong += [f"A row of {stray[0]} belongs to no run." for stray in strays]
        unique = {index["name"] for index in sa.inspect(connection).get_indexes("attempt") if index["unique"]}
        if "one_live_attempt" not in unique:
            wrong.append("The guard against sending a document twice (index one_live_attempt) is missing.")
        counts = {
            name: int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0)
            for name, table in _TABLES.items()
            if name != "applied"
        }
        return wrong + _rows_that_are_missing(connection), counts

    return journal.do(job)


def _rows_that_are_missing(connection: sa.Connection) -> list[str]:
    """Name the runs whose results do not hold as many rows as were read."""
    held: dict[str, int] = {}
    for run_id, rows in connection.execute(sa.select(tables.result.c.run_id, tables.result.c.rows)):
        held[run_id] = held.get(run_id, 0) + len(json.loads(rows))
    runs = connection.execute(sa.select(tables.run.c.run_id, tables.run.c.rows_read))
    return [
        f"Run {run_id} read {read} rows, and {held.get(run_id, 0)} of them are here."
        for run_id, read in runs
        if held.get(run_id, 0) != read
    ]
