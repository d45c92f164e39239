"""Claim, settle and look up documents in one database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, IntegrityError

from importer.errors import JournalError
from importer.journal import attempts, run_locks, tables
from importer.journal.attempts import COLUMNS, AlreadyClaimed, Attempt
from importer.journal.claims import Claim, kept, new_attempt, take_turns, told
from importer.journal.database import is_held, open_database, refusal
from importer.journal.examination import Examination
from importer.journal.group_commit import ConnectionLost, GroupCommit, StillHeld, patiently
from importer.journal.statements import INSERT, statements_of
from importer.model import Document, Outcome, Past, RunRecord, Status

T = TypeVar("T")
#: How often a claim is tried where what stood in its way was settled meanwhile.
_CLAIM_TRIES: Final = 3
#: How many keys one question names.
_ASKED_AT_ONCE: Final = 500


class Journal:
    """Claim, settle and look up documents in one database; safe for threads."""

    def __init__(self, engine: sa.Engine, shown: str) -> None:
        """Take a prepared engine; `shown` names the journal in messages."""
        self._engine = engine
        self._shown = shown
        #: how a run that lives opens the transactions by which it claims and settles
        self._begin: run_locks.Begin = engine.begin
        self._statements = statements_of(engine)
        self._group = GroupCommit(lambda: self._transaction(self._begin))

    @contextmanager
    def _transaction(self, begin: run_locks.Begin) -> Iterator[sa.Connection]:
        try:
            with begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DatabaseError as error:
            lost = error.connection_invalidated and self._engine.dialect.name != "sqlite"
            told = refusal(self._shown, error)
            kind = ConnectionLost if lost else StillHeld if is_held(error) else JournalError
            raise kind(str(told)) from error

    def do(self, job: Callable[[sa.Connection], T]) -> T:
        """Do a piece of work in one transaction; it may be done again where the connection was lost."""
        return patiently(lambda: self._transaction(self._engine.begin), job)

    def _rows(self, query: sa.Select[Any]) -> Sequence[Any]:
        return self.do(lambda connection: connection.execute(query).mappings().all())

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def alive(self, run_id: str) -> Iterator[None]:
        """Let others see, while the context lasts, that a run lives; to be entered before it starts.

        Raises: JournalError when they cannot be let see it.
        """
        try:
            with run_locks.alive(self._engine, run_id) as self._begin:
                yield
        except DatabaseError as error:
            raise refusal(self._shown, error) from error
        finally:
            self._begin = self._engine.begin

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Let others see, while the context lasts, that what several runs belong to is going on.

        Raises: JournalError when they cannot be let see it.
        """
        try:
            with run_locks.alive(self._engine, name):
                yield
        except DatabaseError as error:
            raise refusal(self._shown, error) from error

    def is_alive(self, run_id: str) -> bool:
        """Tell whether the process of a run still lives, so that what it claimed may yet be sent."""
        try:
            return run_locks.is_alive(self._engine, run_id)
        except DatabaseError as error:
            raise refusal(self._shown, error) from None

    def start_run(self, record: RunRecord, outcomes: Iterable[Outcome]) -> None:
        """Write a run down with what is known of each document before the first one is sent."""
        rows = [tables.result_row(record.run_id, outcome) for outcome in outcomes]

        def job(connection: sa.Connection) -> None:
            # the answer to a first try may have been lost with its connection
            if connection.execute(sa.select(tables.run.c.run_id).where(tables.run.c.run_id == record.run_id)).first():
                return
            connection.execute(tables.run.insert(), tables.run_row(record))
            self._statements.result.each(connection, rows)

        self.do(job)

    def claim(
        self, record: RunRecord, document: Document, outcome: Outcome, at: str, server_at: str, looked_after: int = 0
    ) -> int:
        """Commit that a document is about to be sent; return the attempt's id. `server_at` is the server's time.

        `looked_after` is the latest attempt at it that was looked at before: refused with 500, or a change in doubt.
        Raises: AlreadyClaimed when another attempt at it is live, or came up since and may have been carried out.
        JournalError when the claim cannot be written.
        """
        endpoint = document.endpoint or record.endpoint
        values = new_attempt(
            record,
            outcome,
            "sending",
            at,
            fingerprint=document.fingerprint,
            identity=document.identity,
            repeatable=int(document.repeatable),
            expect=document.expect,
            server_at=server_at,
            endpoint=endpoint,
            key=document.known_as,
            before=document.before or None,
        )
        new = Claim(values=values, outcome=told(record, outcome), looked_after=looked_after)

        def job(connection: sa.Connection) -> int | Attempt:
            return self._claim_alone(connection, new)

        claimed = self._group.run(job, (0, document.identity), self._claim_together, new)
        if isinstance(claimed, Attempt):
            raise AlreadyClaimed(claimed)
        return claimed

    def _claim_alone(self, connection: sa.Connection, claim: Claim) -> int | Attempt:
        take_turns(connection, [claim])
        found = self._insert_claim(connection, claim.values)
        return self._kept(connection, {found: claim})[found] if isinstance(found, int) else found

    def _kept(self, connection: sa.Connection, claims: dict[int, Claim]) -> dict[int, int | Attempt]:
        return kept(self._statements, connection, claims, self.is_alive)

    def _claim_together(self, connection: sa.Connection, claims: list[Claim]) -> list[int | Attempt]:
        """Make several claims at once; of each return its id, or the attempt that stands in its way."""
        take_turns(connection, claims)
        if len({(*claim.place, claim.values["identity"]) for claim in claims}) < len(claims):
            # where one makes way again, another one of the same document may take its place
            return [self._claim_alone(connection, claim) for claim in claims]
        ids = {uid: int(own) for uid, own in self._statements.claims(connection, [claim.values for claim in claims])}
        found = [ids.get(claim.uid) or self._insert_claim(connection, claim.values) for claim in claims]
        new = {own: claim for own, claim in zip(found, claims, strict=True) if isinstance(own, int)}
        became = self._kept(connection, new)
        return [became[own] if isinstance(own, int) else own for own in found]

    def _insert_claim(self, connection: sa.Connection, values: dict[str, Any]) -> int | Attempt:
        """Return the id of a new claim, or the live attempt that stands in its way."""
        for _ in range(_CLAIM_TRIES):
            new = self._statements.claim(connection, values).scalar()
            if new is not None:
                return int(new)
            own = (tables.attempt.c[name] == values[name] for name in ("company", "endpoint", "identity"))
            live = sa.or_(tables.attempt.c.uid == values["uid"], sa.and_(*own, tables.attempt.c.state.in_(tables.LIVE)))
            row = connection.execute(sa.select(*COLUMNS).where(live)).mappings().first()
            if row is not None:
                # our own: the claim was committed, but the answer to that was lost
                return int(row["attempt_id"]) if row["uid"] == values["uid"] else Attempt(**row)
        raise JournalError(f"The journal {self._shown!r} refuses a claim without saying why. Please report this.")

    def keep_job(self, attempt_id: int, job: str, evidence: str) -> None:
        """Commit the id of the background request that the API made of a claim, which stays in its owner's hand."""
        table = tables.attempt
        statement = table.update().where(table.c.attempt_id == attempt_id).values(job=job, evidence=evidence)
        self._group.run(lambda connection: connection.execute(statement), (1, f"{attempt_id:012}"))

    def settle(
        self, record: RunRecord, attempt_id: int, outcome: Outcome, at: str, evidence: str = "", *, wait: bool = True
    ) -> Callable[[], None]:
        """Commit what became of a claim; the owner's word counts although another run called it in doubt.

        Return what waits for the commit. Without `wait` it has not been waited for: it comes with the next claim of
        the same thread, or earlier.
        """
        settled = {
            "own": attempt_id,
            "state": outcome.status.value,
            "settled_at": at,
            "number": outcome.number,
            "http_status": outcome.http_status,
            "evidence": evidence or None,
        }
        item = (settled, told(record, outcome))

        def job(connection: sa.Connection) -> None:
            self._settle_together(connection, [item])

        settling = self._group.submit(job, (1, f"{attempt_id:012}"), self._settle_together, item)
        if wait:
            settling()
        return settling

    def _settle_together(
        self, connection: sa.Connection, items: list[tuple[dict[str, Any], dict[str, Any]]]
    ) -> list[None]:
        do = self._statements
        if len({said["own_run"] for _, said in items}) == 1 < len(items):
            do.settlements(connection, [settled for settled, _ in items])
            do.outcomes(connection, [said for _, said in items])
        else:
            do.settle.each(connection, [settled for settled, _ in items])
            do.outcome.each(connection, [said for _, said in items])
        return [None] * len(items)

    def note(self, record: RunRecord, outcome: Outcome) -> None:
        """Write down an outcome that no attempt of this run stands behind."""
        item = told(record, outcome)
        self._group.run(lambda connection: self._statements.outcome(connection, item), (2, f"{outcome.position:012}"))

    def finish_run(self, record: RunRecord) -> None:
        """Write down how a run ended."""
        statement = (
            tables.run.update()
            .where(tables.run.c.run_id == record.run_id)
            .values(finished_at=record.finished_at, exit_code=record.exit_code, stopped=record.stopped)
        )
        self.do(lambda connection: connection.execute(statement))

    def live_attempts(self, company: str, endpoint: str) -> list[Attempt]:
        """Return every attempt in flight, accepted or in doubt, in the order of the claims."""
        return self._attempts(attempts.live(company, endpoint))

    def doubtful(self, company: str) -> list[Attempt]:
        """Return every attempt in flight or in doubt that no later accepted one made pointless, in order."""
        return self._attempts(attempts.doubtful(company))

    def once_doubtful(self, company: str, endpoint: str) -> list[Attempt]:
        """Return, in order, every attempt that a look-up or a person said is not there, or that was refused with 500.

        Such a document may have come through all the same, later than could be expected.
        """
        return self._attempts(attempts.once_doubtful(company, endpoint))

    def deciding(self, company: str, endpoint: str) -> list[Past]:
        """Return every attempt that decides what is sent, in order: live, once doubtful, or withdrawn by a person."""
        # a file is the journal of one project, a database that of many
        query = attempts.deciding(company, endpoint, most=self._engine.dialect.name == "sqlite")
        return list(map(Past._make, self.do(lambda connection: connection.execute(query).all())))

    def _attempts(self, query: sa.Select[Any]) -> list[Attempt]:
        rows = self.do(lambda connection: connection.execute(query).all())
        return list(map(Attempt._make, rows))

    def decide(self, attempt: Attempt, status: str, message: str, at: str, *, number: str | None, by: str) -> bool:
        """Settle an attempt afterwards, and what its run's report says of it; false where it was settled meanwhile.

        `by` says who: a look-up, or a person.
        """
        table, result = tables.attempt, tables.result
        settle = (
            table.update()
            .where(table.c.attempt_id == attempt.attempt_id, table.c.state == attempt.state)
            .values(state=status, settled_at=at, number=number, decided_by=by)
        )
        # the key tells which one only where each document has one number and one key
        own = result.c.key == attempt.key if attempt.position is None else result.c.position == attempt.position
        tell = (
            result.update()
            .where(result.c.run_id == attempt.run_id, own)
            .where(result.c.status.in_(("unknown", "not_sent", "rejected")))
            .values(status=status, number=number, message=message)
        )

        def job(connection: sa.Connection) -> bool:
            changed = bool(connection.execute(settle).rowcount)
            if changed and status in {"accepted", "rejected", "not_sent", "unknown"}:
                connection.execute(tell)
            return changed

        try:
            return self.do(job)
        except IntegrityError:
            # another attempt at the document became live meanwhile
            return False

    def adopt(self, known: Attempt, outcome: Outcome, number: str | None, at: str, by: str) -> None:
        """Make a document's new content the accepted one, by a person's word."""
        values = {"fingerprint": outcome.fingerprint, "settled_at": at, "decided_by": by}
        values |= {"number": number} if number else {}
        statement = tables.attempt.update().where(tables.attempt.c.attempt_id == known.attempt_id).values(values)
        self.do(lambda connection: connection.execute(statement))

    def word(self, record: RunRecord, outcome: Outcome, state: str, at: str, *, number: str | None, by: str) -> None:
        """Write down a person's word on a document that no attempt stands behind: accepted, or withdrawn.

        Raises: JournalError when one stands behind it meanwhile.
        """
        values = new_attempt(
            record,
            outcome,
            state,
            at,
            fingerprint=outcome.fingerprint,
            identity=outcome.key,
            repeatable=0,
            settled_at=at,
            number=number,
            expect="",
            decided_by=by,
        )
        insert = INSERT[self._engine.dialect.name](tables.attempt).values(values)
        # once, also where the answer to a first try was lost with its connection
        statement = insert.on_conflict_do_nothing(index_elements=["uid"])
        try:
            self.do(lambda connection: connection.execute(statement))
        except IntegrityError:
            raise JournalError(
                f"A run has {outcome.key!r} in hand meanwhile, or had it accepted, so it was left as it is. See how it "
                "stands with 'visma-import resolve' when that run has ended."
            ) from None

    def runs(self) -> list[tuple[RunRecord, dict[Status, int]]]:
        """Return every run, the latest first, with its documents counted by status."""
        counted = sa.select(
            tables.result.c.run_id, tables.result.c.status, sa.func.count().label("documents")
        ).group_by(tables.result.c.run_id, tables.result.c.status)
        counts: dict[str, dict[Status, int]] = {}
        for row in self._rows(counted):
            counts.setdefault(row["run_id"], {})[Status(row["status"])] = row["documents"]
        rows = self._rows(sa.select(tables.run).order_by(tables.run.c.started_at.desc()))
        return [(tables.read_run(row), counts.get(row["run_id"], {})) for row in rows]

    def run(self, run_id: str) -> RunRecord:
        """Return one run by its id or the beginning of it.

        Raises: JournalError when there is no such run, or more than one.
        """
        query = sa.select(tables.run).where(tables.run.c.run_id.startswith(run_id, autoescape=True))
        rows = [tables.read_run(row) for row in self._rows(query)]
        exact = [record for record in rows if record.run_id == run_id]
        if len(exact or rows) != 1:
            reason = "more than one run begins so" if rows else "there is no such run"
            raise JournalError(f"Run {run_id!r}: {reason}. 'visma-import history' lists the runs.")
        return (exact or rows)[0]

    def sequence(self, sequence_id: str) -> list[RunRecord]:
        """Return the runs of a sequence, in the order of its steps; none where there is no such sequence."""
        query = sa.select(tables.run).where(tables.run.c.sequence_id == sequence_id).order_by(tables.run.c.step)
        return [tables.read_run(row) for row in self._rows(query)]

    def outcomes_of(self, key: str) -> dict[str, Outcome]:
        """Return what each run that had a document with this key knows of it, by the run's id."""
        query = sa.select(tables.result).where(tables.result.c.key == key)
        return {row["run_id"]: tables.read_outcome(row) for row in self._rows(query)}

    def last_outcomes(self, company: str, endpoint: str, keys: Sequence[str]) -> dict[str, tuple[RunRecord, Outcome]]:
        """Return what the latest run that had a document with each key knows of it, and that run.

        One that left it out counts where none did more.
        """
        run, result, found = tables.run, tables.result, {}
        records: dict[str, RunRecord] = {}
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            of = (run.c.company == company, run.c.endpoint == endpoint)
            query = (
                sa.select(result)
                .join(run, run.c.run_id == result.c.run_id)
                .where(*of, result.c.key.in_(keys[start : start + _ASKED_AT_ONCE]))
                .order_by(run.c.started_at)
            )
            for row in self._rows(query):
                if row["status"] == Status.FILTERED and row["key"] in found:
                    continue
                if row["run_id"] not in records:
                    records[row["run_id"]] = self.run(row["run_id"])
                found[row["key"]] = records[row["run_id"]], tables.read_outcome(row)
        return found

    def outcomes(self, run_id: str) -> list[Outcome]:
        """Return what is known of each document of a run, in the order of the plan."""
        query = sa.select(tables.result).where(tables.result.c.run_id == run_id).order_by(tables.result.c.position)
        return [tables.read_outcome(row) for row in self._rows(query)]


def open_journal(where: str | Path, *, create: bool = True, examined: Examination | None = None) -> Journal:
    """Open a journal, or make a new one: a file that only its owner can read, or an empty PostgreSQL database.

    `examined` is what began to look through the file before.

    Raises: JournalError when it is not a journal, is damaged, is newer than this program, or cannot be written.
    """
    return Journal(*open_database(where, create=create, examined=examined))
