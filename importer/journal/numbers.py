"""Ask the journal which numbers that Visma gave were never held against its own list, and note that they were."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from importer.journal import tables
from importer.journal.attempts import COLUMNS, Attempt
from importer.journal.journal import Journal
from importer.stop import BY_HAND

#: How many attempts one statement names.
_AT_ONCE: Final = 500


def unverified(journal: Journal, company: str, endpoint: str) -> list[Attempt]:
    """Return what was accepted with a number by runs that did not come to their look-up, and was not looked at since.

    Those are the runs that were stopped by hand, that did not end, or that have not ended yet.
    """
    run, attempt = tables.run, tables.attempt
    short = sa.select(run.c.run_id).where(
        run.c.company == company, sa.or_(run.c.finished_at.is_(None), run.c.stopped == BY_HAND)
    )
    own = (attempt.c.company == company, attempt.c.endpoint == endpoint, attempt.c.state == "accepted")
    given = (attempt.c.number.is_not(None), attempt.c.decided_by.is_(None))

    def job(connection: sa.Connection) -> list[Attempt]:
        runs = connection.execute(short).scalars().all()
        if not runs:
            # the rule, and it saves going through all attempts
            return []
        query = sa.select(*COLUMNS).where(*own, *given, attempt.c.run_id.in_(runs)).order_by(attempt.c.attempt_id)
        return list(map(Attempt._make, connection.execute(query).all()))

    return journal.do(job)


def verified(journal: Journal, attempts: Sequence[Attempt], by: str) -> None:
    """Note that the numbers of some attempts are their own; `by` says by what."""
    table = tables.attempt
    ids = [attempt.attempt_id for attempt in attempts]

    def job(connection: sa.Connection) -> None:
        for start in range(0, len(ids), _AT_ONCE):
            these = table.c.attempt_id.in_(ids[start : start + _AT_ONCE])
            connection.execute(table.update().where(these, table.c.state == "accepted").values(decided_by=by))

    journal.do(job)
