"""Ask the journal what was said of documents after they were sent, by a look-up or a person, and what still may be."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from importer.journal import attempts, tables
from importer.journal.attempts import Attempt
from importer.journal.journal import Journal


class Word(NamedTuple):
    """Hold what was decided afterwards on a document of a run."""

    run_id: str
    #: what its attempt is by that word
    state: str
    #: a look-up, or a person by name
    by: str
    at: str


def words_on(journal: Journal, key: str) -> list[Word]:
    """Return the last word on each attempt at what the reports of runs know by a key, in order."""
    attempt, result = tables.attempt, tables.result
    told = sa.select(result.c.run_id, result.c.position).where(result.c.key == key)
    own = sa.or_(
        sa.tuple_(attempt.c.run_id, attempt.c.position).in_(told),
        # what older versions wrote
        sa.and_(attempt.c.position.is_(None), attempt.c.key == key),
    )
    query = (
        sa.select(attempt.c.run_id, attempt.c.state, attempt.c.decided_by, attempt.c.settled_at)
        .where(own, attempt.c.decided_by.is_not(None))
        .order_by(attempt.c.settled_at, attempt.c.attempt_id)
    )
    return list(map(Word._make, journal.do(lambda connection: connection.execute(query).all())))


def latest(journal: Journal, company: str, states: Sequence[str]) -> list[Attempt]:
    """Return the latest attempt at each document that decides whether it is sent, where it is in some state."""
    query = attempts.latest(company, states)
    return list(map(Attempt._make, journal.do(lambda connection: connection.execute(query).all())))
