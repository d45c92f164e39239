"""What a claim writes, and what becomes of it where an earlier attempt was refused with an error meanwhile."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa

from importer.journal import tables
from importer.journal.attempts import Attempt
from importer.journal.statements import Statements
from importer.model import Outcome, RunRecord

#: What makes two attempts ones at the same content of the same document.
_SAME: Final = ("endpoint", "identity", "fingerprint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Hold what a claim writes: the attempt, and what the run's report says of the document from then on."""

    values: dict[str, Any]
    outcome: dict[str, Any]
    #: the latest attempt at it that was refused with 500 before it was looked for in the API
    looked_after: int

    @property
    def uid(self) -> str:
        """Return what names it in every copy of the journal."""
        return str(self.values["uid"])

    @property
    def place(self) -> tuple[str, str]:
        """Return the company and the endpoint."""
        return self.values["company"], self.values["endpoint"]


def new_attempt(record: RunRecord, outcome: Outcome, state: str, at: str, **more: Any) -> dict[str, Any]:
    """Return a row for an attempt of a run at one of its documents."""
    return {
        "uid": uuid4().hex,
        "run_id": record.run_id,
        "company": record.company,
        "endpoint": record.endpoint,
        "key": outcome.key,
        "position": outcome.position,
        "state": state,
        "claimed_at": at,
        **more,
    }


def told(record: RunRecord, outcome: Outcome) -> dict[str, Any]:
    """Return what changes what the run's report says of a document."""
    return {"own_run": record.run_id, "own_position": outcome.position, **tables.outcome_row(outcome)}


def kept(do: Statements, connection: sa.Connection, claims: dict[int, Claim]) -> dict[int, int | Attempt]:
    """Keep new claims, by their ids, save those after an error that was not looked after: of these tell that one.

    After our claim nobody else's can change any more.
    """
    found: dict[int, int | Attempt] = {own: own for own in claims}
    for place in {claim.place for claim in claims.values()}:
        there = {own: claim for own, claim in claims.items() if claim.place == place}
        for row in do.refused(connection, *place, [claim.values["fingerprint"] for claim in there.values()]):
            refused = Attempt(**row)
            for own, claim in there.items():
                if found[own] == own and _forbids(refused, claim):
                    found[own] = refused
                    do.take_back(connection, {"own": own})
    said = [claim.outcome for own, claim in claims.items() if found[own] == own]
    if len({one["own_run"] for one in said}) == 1 < len(said):
        do.outcomes(connection, said)
    else:
        do.outcome.each(connection, said)
    return found


def _forbids(refused: Attempt, claim: Claim) -> bool:
    """Tell whether an attempt that was refused with an error is to be looked after before a claim."""
    same = all(getattr(refused, name) == claim.values[name] for name in _SAME)
    return same and refused.attempt_id > claim.looked_after
