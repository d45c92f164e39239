"""Ask and tell a journal about saved plans: what carries one out, and what stands for all that it knows."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from importer.journal import tables
from importer.journal.journal import Journal
from importer.model import RunRecord


def state(journal: Journal | None, company: str, endpoints: Sequence[str], plan_id: str = "") -> str:
    """Return what stands for all that a journal knows of some endpoints, less what a plan's own runs did."""
    digest = hashlib.sha256()
    if journal is None:
        return digest.hexdigest()
    attempt, run = tables.attempt, tables.run
    own = sa.select(run.c.run_id).where(run.c.plan_id == plan_id)
    query = (
        sa.select(attempt.c.uid, attempt.c.state, attempt.c.fingerprint, attempt.c.number)
        .where(attempt.c.company == company, attempt.c.endpoint.in_(sorted(set(endpoints))))
        .where(attempt.c.state.in_((*tables.LIVE, "withdrawn")), attempt.c.run_id.not_in(own))
    )
    # not by the database, of which each sorts texts in its own way
    for row in sorted(journal.do(lambda connection: connection.execute(query).all()), key=lambda row: str(row[0])):
        digest.update(json.dumps(list(row)).encode())
    return digest.hexdigest()


def carrier(journal: Journal, plan_id: str) -> str | None:
    """Return what carries a plan out, or did, by a name that begins with when; None where nothing did."""
    query = sa.select(tables.applied.c.run_id).where(tables.applied.c.plan_id == plan_id)
    found: str | None = journal.do(lambda connection: connection.execute(query).scalar())
    return found


def carry_out(journal: Journal, plan_id: str, carried_by: str, after: str | None) -> bool:
    """Note what carries a plan out, after an earlier try that ended early; false where another was quicker."""
    table = tables.applied

    def job(connection: sa.Connection) -> bool:
        if after is None:
            connection.execute(table.insert().values(plan_id=plan_id, run_id=carried_by))
            return True
        own = (table.c.plan_id == plan_id, table.c.run_id == after)
        return bool(connection.execute(table.update().where(*own).values(run_id=carried_by)).rowcount)

    with suppress(IntegrityError):
        if journal.do(job):
            return True
    # ours all the same where the answer to a first try was lost with its connection
    return carrier(journal, plan_id) == carried_by


def runs_of(journal: Journal, plan_id: str) -> list[RunRecord]:
    """Return the runs that carried a plan out, the earliest first."""
    query = sa.select(tables.run).where(tables.run.c.plan_id == plan_id).order_by(tables.run.c.started_at)
    rows = journal.do(lambda connection: connection.execute(query).mappings().all())
    return [tables.read_run(row) for row in rows]
