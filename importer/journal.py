"""The journal: what was claimed, sent and settled, so that no document is ever sent twice.

A claim is committed before a byte leaves; the partial unique index over the live states is the guard, so that not even
two processes can claim one document. SQLite is embedded; every statement is one that PostgreSQL takes too.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError

from importer.errors import JournalError
from importer.model import Outcome, Problem, RunRecord, Status, Total

FORMAT: Final = 1
#: States of an attempt that forbid another one for the same document.
LIVE: Final = ("sending", "accepted", "unknown")

_metadata = sa.MetaData()
_meta = sa.Table(
    "meta", _metadata, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
)
_run = sa.Table(
    "run",
    _metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("finished_at", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("mapping_name", sa.Text, nullable=False),
    sa.Column("mapping_file", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("workbook_name", sa.Text, nullable=False),
    sa.Column("workbook_sha256", sa.Text, nullable=False),
    sa.Column("sheet", sa.Text, nullable=False),
    sa.Column("header_row", sa.Integer, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("company", sa.Text, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("rows_read", sa.Integer, nullable=False),
    sa.Column("totals", sa.Text, nullable=False),
    sa.Column("stopped", sa.Text, nullable=False),
)
_attempt = sa.Table(
    "attempt",
    _metadata,
    sa.Column("attempt_id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.run_id"), nullable=False),
    sa.Column("company", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column(
        "state",
        sa.Text,
        sa.CheckConstraint("state IN ('sending', 'accepted', 'rejected', 'not_sent', 'unknown')"),
        nullable=False,
    ),
    sa.Column("claimed_at", sa.Text, nullable=False),
    sa.Column("settled_at", sa.Text),
    sa.Column("number", sa.Text),
    sa.Column("http_status", sa.Integer),
    #: what the API said, whole, for support
    sa.Column("evidence", sa.Text),
)
sa.Index(
    "one_live_attempt",
    _attempt.c.company,
    _attempt.c.endpoint,
    _attempt.c.key,
    unique=True,
    sqlite_where=_attempt.c.state.in_(LIVE),
    postgresql_where=_attempt.c.state.in_(LIVE),
)
sa.Index("attempt_body", _attempt.c.company, _attempt.c.endpoint, _attempt.c.fingerprint)
_result = sa.Table(
    "result",
    _metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("run.run_id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("key", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("rows", sa.Text, nullable=False),
    sa.Column("number", sa.Text),
    sa.Column("http_status", sa.Integer),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("problems", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Hold one attempt at one document."""

    attempt_id: int
    run_id: str
    key: str
    fingerprint: str
    state: str
    claimed_at: str
    settled_at: str | None
    number: str | None


class AlreadyClaimed(Exception):  # noqa: N818 - reads as what happened
    """Tell that another attempt at the document is in flight, accepted or in doubt."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.key)
        self.attempt = attempt


class Journal:
    """Claim, settle and look up documents in one database."""

    def __init__(self, engine: sa.Engine, shown: str) -> None:
        """Take an engine made by `open_journal`; `shown` names the journal in messages."""
        self._engine = engine
        self._shown = shown

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DatabaseError as error:
            raise _refusal(self._shown, error) from error

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def start_run(self, record: RunRecord, outcomes: Iterable[Outcome]) -> None:
        """Write a run down with what is known of each document before the first one is sent."""
        with self._transaction() as connection:
            row = {name: value for name, value in asdict(record).items() if name != "totals"}
            connection.execute(_run.insert(), {**row, "totals": json.dumps([_total_row(t) for t in record.totals])})
            rows = [_result_row(record.run_id, outcome) for outcome in outcomes]
            if rows:
                connection.execute(_result.insert(), rows)

    def claim(self, record: RunRecord, outcome: Outcome, fingerprint: str, at: str) -> int:
        """Commit that a document is about to be sent; return the attempt's id.

        Raises: AlreadyClaimed when another attempt at it is live. JournalError when the claim cannot be written.
        """
        values = {
            "run_id": record.run_id,
            "company": record.company,
            "endpoint": record.endpoint,
            "key": outcome.key,
            "fingerprint": fingerprint,
            "state": "sending",
            "claimed_at": at,
        }
        try:
            with self._transaction() as connection:
                attempt_id = connection.execute(_attempt.insert().values(values)).inserted_primary_key
                connection.execute(_result.update().where(*_result_key(record, outcome)).values(_outcome_row(outcome)))
        except IntegrityError as error:
            live = self._live(record.company, record.endpoint, outcome.key or "")
            if live is None:
                raise JournalError(f"The journal {self._shown} refused a claim: {error.orig}.") from error
            raise AlreadyClaimed(live) from None
        return int(attempt_id[0]) if attempt_id else 0

    def settle(self, record: RunRecord, attempt_id: int, outcome: Outcome, at: str, evidence: str = "") -> None:
        """Commit what became of a claim; the owner's word counts although another run called it in doubt."""
        state = outcome.status.value
        with self._transaction() as connection:
            connection.execute(
                _attempt.update()
                .where(_attempt.c.attempt_id == attempt_id, _attempt.c.state.in_(("sending", "unknown")))
                .values(
                    state=state,
                    settled_at=at,
                    number=outcome.number,
                    http_status=outcome.http_status,
                    evidence=evidence or None,
                )
            )
            connection.execute(_result.update().where(*_result_key(record, outcome)).values(_outcome_row(outcome)))

    def note(self, record: RunRecord, outcome: Outcome) -> None:
        """Write down an outcome that no attempt of this run stands behind."""
        with self._transaction() as connection:
            connection.execute(_result.update().where(*_result_key(record, outcome)).values(_outcome_row(outcome)))

    def finish_run(self, record: RunRecord) -> None:
        """Write down how a run ended."""
        with self._transaction() as connection:
            connection.execute(
                _run.update()
                .where(_run.c.run_id == record.run_id)
                .values(finished_at=record.finished_at, exit_code=record.exit_code, stopped=record.stopped)
            )

    def live_attempts(self, company: str, endpoint: str) -> list[Attempt]:
        """Return every attempt in flight, accepted or in doubt."""
        query = sa.select(*_ATTEMPT_COLUMNS).where(
            _attempt.c.company == company, _attempt.c.endpoint == endpoint, _attempt.c.state.in_(LIVE)
        )
        with self._transaction() as connection:
            return [Attempt(**row) for row in connection.execute(query).mappings()]

    def _live(self, company: str, endpoint: str, key: str) -> Attempt | None:
        return next((a for a in self.live_attempts(company, endpoint) if a.key == key), None)

    def runs(self) -> list[tuple[RunRecord, dict[Status, int]]]:
        """Return every run, the latest first, with its documents counted by status."""
        counted = sa.select(_result.c.run_id, _result.c.status, sa.func.count()).group_by(
            _result.c.run_id, _result.c.status
        )
        with self._transaction() as connection:
            counts: dict[str, dict[Status, int]] = {}
            for run_id, status, number in connection.execute(counted):
                counts.setdefault(run_id, {})[Status(status)] = number
            rows = connection.execute(sa.select(_run).order_by(_run.c.started_at.desc())).mappings()
            return [(_record(row), counts.get(row["run_id"], {})) for row in rows]

    def run(self, run_id: str) -> RunRecord:
        """Return one run by its id or the beginning of it.

        Raises: JournalError when there is no such run, or more than one.
        """
        with self._transaction() as connection:
            query = sa.select(_run).where(_run.c.run_id.startswith(run_id, autoescape=True))
            rows = [_record(row) for row in connection.execute(query).mappings()]
        exact = [record for record in rows if record.run_id == run_id]
        if len(exact or rows) != 1:
            reason = "more than one run begins so" if rows else "there is no such run"
            raise JournalError(f"Run {run_id!r}: {reason}. 'visma-import history' lists the runs.")
        return (exact or rows)[0]

    def outcomes(self, run_id: str) -> list[Outcome]:
        """Return what is known of each document of a run, in the order of the plan."""
        query = sa.select(_result).where(_result.c.run_id == run_id).order_by(_result.c.position)
        with self._transaction() as connection:
            return [_outcome(row) for row in connection.execute(query).mappings()]


_ATTEMPT_COLUMNS: Final = tuple(_attempt.c[name] for name in Attempt.__dataclass_fields__)


def _result_key(record: RunRecord, outcome: Outcome) -> tuple[Any, Any]:
    return _result.c.run_id == record.run_id, _result.c.position == outcome.position


def _outcome_row(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status.value,
        "number": outcome.number,
        "http_status": outcome.http_status,
        "message": outcome.message,
        "sent_at": outcome.sent_at,
    }


def _result_row(run_id: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "position": outcome.position,
        "key": outcome.key,
        "rows": json.dumps(outcome.rows),
        "problems": json.dumps([asdict(problem) for problem in outcome.problems], ensure_ascii=False),
        **_outcome_row(outcome),
    }


def _outcome(row: Any) -> Outcome:
    return Outcome(
        position=row["position"],
        key=row["key"],
        status=Status(row["status"]),
        rows=tuple(json.loads(row["rows"])),
        number=row["number"],
        http_status=row["http_status"],
        message=row["message"],
        problems=tuple(Problem(**problem) for problem in json.loads(row["problems"])),
        sent_at=row["sent_at"],
    )


def _total_row(total: Total) -> dict[str, str | None]:
    return {
        "name": total.name,
        "column": total.column,
        "sum": None if total.sum is None else f"{total.sum:f}",
        "expect": None if total.expect is None else f"{total.expect:f}",
    }


def _record(row: Any) -> RunRecord:
    totals = tuple(
        Total(
            name=raw["name"],
            column=raw["column"],
            sum=None if raw["sum"] is None else Decimal(raw["sum"]),
            expect=None if raw["expect"] is None else Decimal(raw["expect"]),
        )
        for raw in json.loads(row["totals"])
    )
    return RunRecord(**{**row, "totals": totals})


def open_journal(path: Path, *, create: bool = True) -> Journal:
    """Open the journal file, or make a new one that only its owner can read.

    Raises: JournalError when it is not a journal, is damaged, is newer than this program, or cannot be written.
    """
    shown = str(path)
    if not create and not path.exists():
        raise JournalError(f"There is no journal {shown!r} yet; the first 'visma-import run' makes it.")
    _make_private(path)
    engine = sa.create_engine(f"sqlite:///{path}")
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    journal = Journal(engine, shown)
    try:
        with engine.begin() as connection:
            _check_format(connection, shown)
    except DatabaseError as error:
        journal.close()
        raise _refusal(shown, error) from error
    except JournalError:
        journal.close()
        raise
    return journal


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise JournalError(
            f"The journal {str(path)!r} cannot be written ({reason}), so nothing is sent. Name another place with --journal."
        ) from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
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
            raise JournalError(f"SQLite does not keep {name} = {value} (it says {found!r}), so the journal is not safe here.")


def _check_format(connection: sa.Connection, shown: str) -> None:
    names = set(sa.inspect(connection).get_table_names())
    if not names:
        _metadata.create_all(connection)
        connection.execute(_meta.insert(), [{"name": "format", "value": str(FORMAT)}])
        return
    found = None
    if "meta" in names and {"run", "attempt", "result"} <= names:
        found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "format")).scalar()
    if found is None:
        raise JournalError(f"{shown!r} is a database of another program, not a journal. Name another file with --journal.")
    if not found.isdigit() or int(found) > FORMAT:
        raise JournalError(
            f"The journal {shown!r} has format {found}; this visma-import knows formats up to {FORMAT}. Update visma-import."
        )


def _refusal(shown: str, error: DatabaseError) -> JournalError:
    reason = str(error.orig)
    hint = "Make room on the disk, then run again." if "full" in reason else "Nothing more is sent until it can be written."
    if "not a database" in reason or "malformed" in reason:
        hint = "It is damaged or no journal. Restore it from a copy, or name another file with --journal."
    if "locked" in reason:
        hint = "Another program holds it. Wait until that has ended, then run again."
    return JournalError(f"The journal {shown!r} cannot be used: {reason}. {hint}")
