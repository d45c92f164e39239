"""The journal: what was claimed, sent and settled, so that no document is ever sent twice.

A claim is committed before a byte leaves; the partial unique index over the live states is the guard, so that not even
two processes can claim one document. SQLite is embedded; every statement is one that PostgreSQL takes too.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError

from importer import journal_tables as tables
from importer.errors import JournalError
from importer.model import Document, Outcome, RunRecord, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Hold one attempt at one document."""

    attempt_id: int
    run_id: str
    key: str
    fingerprint: str
    identity: str
    endpoint: str
    state: str
    claimed_at: str
    settled_at: str | None
    number: str | None
    expect: str
    server_at: str | None


_COLUMNS: Final = tuple(tables.attempt.c[name] for name in Attempt.__dataclass_fields__)


def _update(record: RunRecord, outcome: Outcome) -> sa.Update:
    result = tables.result
    own = (result.c.run_id == record.run_id, result.c.position == outcome.position)
    return result.update().where(*own).values(tables.outcome_row(outcome))


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
            connection.execute(tables.run.insert(), tables.run_row(record))
            rows = [tables.result_row(record.run_id, outcome) for outcome in outcomes]
            if rows:
                connection.execute(tables.result.insert(), rows)

    def claim(self, record: RunRecord, document: Document, outcome: Outcome, at: str, server_at: str) -> int:
        """Commit that a document is about to be sent; return the attempt's id. `server_at` is the server's time.

        Raises: AlreadyClaimed when another attempt at it is live. JournalError when the claim cannot be written.
        """
        values = {
            "run_id": record.run_id,
            "company": record.company,
            "endpoint": record.endpoint,
            "key": outcome.key,
            "fingerprint": document.fingerprint,
            "identity": document.identity,
            "repeatable": int(document.repeatable),
            "state": "sending",
            "claimed_at": at,
            "expect": document.expect,
            "server_at": server_at,
        }
        try:
            with self._transaction() as connection:
                attempt_id = connection.execute(tables.attempt.insert().values(values)).inserted_primary_key
                connection.execute(_update(record, outcome))
        except IntegrityError as error:
            live = self._live(record.company, record.endpoint, document.identity)
            if live is None:
                raise JournalError(f"The journal {self._shown} refused a claim: {error.orig}.") from error
            raise AlreadyClaimed(live) from None
        return int(attempt_id[0]) if attempt_id else 0

    def settle(self, record: RunRecord, attempt_id: int, outcome: Outcome, at: str, evidence: str = "") -> None:
        """Commit what became of a claim; the owner's word counts although another run called it in doubt."""
        state = outcome.status.value
        with self._transaction() as connection:
            connection.execute(
                tables.attempt.update()
                .where(tables.attempt.c.attempt_id == attempt_id, tables.attempt.c.state.in_(("sending", "unknown")))
                .values(
                    state=state,
                    settled_at=at,
                    number=outcome.number,
                    http_status=outcome.http_status,
                    evidence=evidence or None,
                )
            )
            connection.execute(_update(record, outcome))

    def note(self, record: RunRecord, outcome: Outcome) -> None:
        """Write down an outcome that no attempt of this run stands behind."""
        with self._transaction() as connection:
            connection.execute(_update(record, outcome))

    def finish_run(self, record: RunRecord) -> None:
        """Write down how a run ended."""
        with self._transaction() as connection:
            connection.execute(
                tables.run.update()
                .where(tables.run.c.run_id == record.run_id)
                .values(finished_at=record.finished_at, exit_code=record.exit_code, stopped=record.stopped)
            )

    def live_attempts(self, company: str, endpoint: str) -> list[Attempt]:
        """Return every attempt in flight, accepted or in doubt, in the order of the claims."""
        query = (
            sa.select(*_COLUMNS)
            .where(
                tables.attempt.c.company == company,
                tables.attempt.c.endpoint == endpoint,
                tables.attempt.c.state.in_(tables.LIVE),
            )
            .order_by(tables.attempt.c.attempt_id)
        )
        with self._transaction() as connection:
            return [Attempt(**row) for row in connection.execute(query).mappings()]

    def doubtful(self, company: str) -> list[Attempt]:
        """Return every attempt in flight or in doubt that no later accepted one made pointless, in order."""
        attempt, later = tables.attempt, tables.attempt.alias("later")
        superseded = sa.exists().where(
            attempt.c.repeatable == 1,
            later.c.state == "accepted",
            later.c.attempt_id > attempt.c.attempt_id,
            *(later.c[name] == attempt.c[name] for name in ("company", "endpoint", "key")),
        )
        query = (
            sa.select(*_COLUMNS)
            .where(attempt.c.company == company, attempt.c.state.in_(("sending", "unknown")), ~superseded)
            .order_by(attempt.c.attempt_id)
        )
        with self._transaction() as connection:
            return [Attempt(**row) for row in connection.execute(query).mappings()]

    def waived(self, company: str, endpoint: str) -> frozenset[tuple[str, str]]:
        """Return key and fingerprint of what a person said is not in Visma, so that it is sent whatever is found."""
        attempt = tables.attempt
        query = sa.select(attempt.c.key, attempt.c.fingerprint).where(
            attempt.c.company == company, attempt.c.endpoint == endpoint, attempt.c.state == "withdrawn"
        )
        with self._transaction() as connection:
            return frozenset((key, fingerprint) for key, fingerprint in connection.execute(query))

    def decide(self, attempt: Attempt, status: str, message: str, at: str, *, number: str | None, by: str) -> bool:
        """Settle an attempt afterwards, and what its run's report says of it; false where it was settled meanwhile.

        `by` says who: a look-up, or a person.
        """
        table, result = tables.attempt, tables.result
        with self._transaction() as connection:
            changed = connection.execute(
                table.update()
                .where(table.c.attempt_id == attempt.attempt_id, table.c.state == attempt.state)
                .values(state=status, settled_at=at, number=number, decided_by=by)
            )
            if changed.rowcount and status in {"accepted", "not_sent", "unknown"}:
                connection.execute(
                    result.update()
                    .where(result.c.run_id == attempt.run_id, result.c.key == attempt.key, result.c.status == "unknown")
                    .values(status=status, number=number, message=message)
                )
        return bool(changed.rowcount)

    def adopt(self, known: Attempt, outcome: Outcome, number: str | None, at: str, by: str) -> None:
        """Make a document's new content the accepted one, by a person's word."""
        values = {"fingerprint": outcome.fingerprint, "settled_at": at, "decided_by": by}
        values |= {"number": number} if number else {}
        with self._transaction() as connection:
            connection.execute(
                tables.attempt.update().where(tables.attempt.c.attempt_id == known.attempt_id).values(values)
            )

    def word(self, record: RunRecord, outcome: Outcome, state: str, at: str, *, number: str | None, by: str) -> None:
        """Write down a person's word on a document that no attempt stands behind: accepted, or withdrawn."""
        values = {
            "run_id": record.run_id,
            "company": record.company,
            "endpoint": record.endpoint,
            "key": outcome.key,
            "identity": outcome.key,
            "fingerprint": outcome.fingerprint,
            "repeatable": 0,
            "state": state,
            "claimed_at": at,
            "settled_at": at,
            "number": number,
            "expect": "",
            "decided_by": by,
        }
        with self._transaction() as connection:
            connection.execute(tables.attempt.insert().values(values))

    def _live(self, company: str, endpoint: str, identity: str) -> Attempt | None:
        return next((a for a in self.live_attempts(company, endpoint) if a.identity == identity), None)

    def runs(self) -> list[tuple[RunRecord, dict[Status, int]]]:
        """Return every run, the latest first, with its documents counted by status."""
        counted = sa.select(tables.result.c.run_id, tables.result.c.status, sa.func.count()).group_by(
            tables.result.c.run_id, tables.result.c.status
        )
        with self._transaction() as connection:
            counts: dict[str, dict[Status, int]] = {}
            for run_id, status, number in connection.execute(counted):
                counts.setdefault(run_id, {})[Status(status)] = number
            rows = connection.execute(sa.select(tables.run).order_by(tables.run.c.started_at.desc())).mappings()
            return [(tables.read_run(row), counts.get(row["run_id"], {})) for row in rows]

    def run(self, run_id: str) -> RunRecord:
        """Return one run by its id or the beginning of it.

        Raises: JournalError when there is no such run, or more than one.
        """
        with self._transaction() as connection:
            query = sa.select(tables.run).where(tables.run.c.run_id.startswith(run_id, autoescape=True))
            rows = [tables.read_run(row) for row in connection.execute(query).mappings()]
        exact = [record for record in rows if record.run_id == run_id]
        if len(exact or rows) != 1:
            reason = "more than one run begins so" if rows else "there is no such run"
            raise JournalError(f"Run {run_id!r}: {reason}. 'visma-import history' lists the runs.")
        return (exact or rows)[0]

    def outcomes(self, run_id: str) -> list[Outcome]:
        """Return what is known of each document of a run, in the order of the plan."""
        query = sa.select(tables.result).where(tables.result.c.run_id == run_id).order_by(tables.result.c.position)
        with self._transaction() as connection:
            return [tables.read_outcome(row) for row in connection.execute(query).mappings()]


def open_journal(path: Path, *, create: bool = True) -> Journal:
    """Open the journal file, or make a new one that only its owner can read.

    Raises: JournalError when it is not a journal, is damaged, is newer than this program, or cannot be written.
    """
    shown = str(path)
    if not create and not path.exists():
        raise JournalError(
            f"There is no journal {shown!r}: change into the folder of the mapping, or of targets.yaml, or the first "
            "'visma-import run' makes it."
        )
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
            f"The journal {str(path)!r} cannot be written ({reason}), so nothing is sent. Name another with --journal."
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
            raise JournalError(
                f"SQLite does not keep {name} = {value} (it says {found!r}), so the journal is not safe here."
            )


def _check_format(connection: sa.Connection, shown: str) -> None:
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
            f"{shown!r} is a database of another program, not a journal. Name another file with --journal."
        )
    if not found.isdigit() or int(found) > tables.FORMAT:
        raise JournalError(
            f"The journal {shown!r} has format {found}; this program knows up to {tables.FORMAT}. Update visma-import."
        )


def _refusal(shown: str, error: DatabaseError) -> JournalError:
    reason = str(error.orig)
    hint = (
        "Make room on the disk, then run again."
        if "full" in reason
        else "Nothing more is sent until it can be written."
    )
    if "not a database" in reason or "malformed" in reason:
        hint = "It is damaged or no journal. Restore it from a copy, or name another file with --journal."
    if "locked" in reason:
        hint = "Another program holds it. Wait until that has ended, then run again."
    return JournalError(f"The journal {shown!r} cannot be used: {reason}. {hint}")
