"""Ask the journal what the runs of an upsert came to: numbers by key, and what updates replaced."""

import sqlalchemy as sa

from importer.journal import tables
from importer.journal.attempts import COLUMNS, Attempt
from importer.journal.journal import Journal


def numbers_told(journal: Journal, company: str, endpoint: str) -> dict[str, str]:
    """Return the number that the latest run told of each key whose document is there."""
    run, result = tables.run, tables.result
    there = (result.c.status.in_(("accepted", "already_accepted")), result.c.number.is_not(None))
    query = (
        sa.select(result.c.key, result.c.number)
        .join(run, run.c.run_id == result.c.run_id)
        .where(run.c.company == company, run.c.endpoint == endpoint, *there)
        .order_by(run.c.started_at)
    )
    return journal.do(lambda connection: {row.key: row.number for row in connection.execute(query)})


def carried_out(journal: Journal, run_id: str) -> list[tuple[Attempt, str | None]]:
    """Return the attempts of a run that were accepted or may have been, each with what it replaced."""
    table = tables.attempt
    own = (table.c.run_id == run_id, table.c.state.in_(tables.LIVE))
    query = sa.select(*COLUMNS, table.c.before).where(*own).order_by(table.c.attempt_id)
    rows = journal.do(lambda connection: [dict(row) for row in connection.execute(query).mappings()])
    return [(Attempt(**row), before) for row in rows for before in [row.pop("before")]]
