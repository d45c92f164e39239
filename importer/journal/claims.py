"""What a claim writes, and what becomes of it where something came up meanwhile that it does not know of."""

import zlib
from collections.abc import Callable, Iterable
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
#: First half of the locks under which changes are claimed on PostgreSQL; the second is made of what is changed.
_OURS: Final = 20271128
#: In their order, so that two processes never wait for each other in a circle.
_IN_TURN: Final = (
    "SELECT pg_advisory_xact_lock(%(ours)s::int, place) "
    "FROM (SELECT unnest(%(places)s::int[]) AS place ORDER BY 1) AS sorted"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Hold what a claim writes: the attempt, and what the run's report says of the document from then on."""

    values: dict[str, Any]
    outcome: dict[str, Any]
    #: the latest attempt at it that was looked at before: refused with 500, or of a change also in doubt
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


def take_turns(connection: sa.Connection, claims: Iterable[Claim]) -> None:
    """Let nobody else claim a change of the same thing before this transaction ends; SQLite has one at a time."""
    if connection.dialect.name != "postgresql":
        return
    changed = {f"{claim.place} {claim.values['key']}" for claim in claims if claim.values["repeatable"]}
    if changed:
        places = sorted(zlib.crc32(name.encode()) - 2**31 for name in changed)
        connection.exec_driver_sql(_IN_TURN, {"ours": _OURS, "places": places})


def kept(
    do: Statements, connection: sa.Connection, claims: dict[int, Claim], is_alive: Callable[[str], bool]
) -> dict[int, int | Attempt]:
    """Keep new claims, by their ids, save those that something stands in the way of: of these tell that attempt.

    That is an error that was not looked after, or a change of the same thing by another run that goes on, or may yet
    be carried out. After our claim nobody else's can change any more.
    """
    found: dict[int, int | Attempt] = {own: own for own in claims}
    for place in {claim.place for claim in claims.values()}:
        there = {own: claim for own, claim in claims.items() if claim.place == place}
        rows = do.refused(connection, *place, [claim.values["fingerprint"] for claim in there.values()])
        keys = [claim.values["key"] for claim in there.values() if claim.values["repeatable"]]
        for past in (Attempt(**row) for row in (*rows, *do.open_changes(connection, *place, keys))):
            for own, claim in there.items():
                if found[own] == own and _forbids(past, claim, is_alive):
                    found[own] = past
                    do.take_back(connection, {"own": own})
    said = [claim.outcome for own, claim in claims.items() if found[own] == own]
    if len({one["own_run"] for one in said}) == 1 < len(said):
        do.outcomes(connection, said)
    else:
        do.outcome.each(connection, said)
    return found


def _forbids(past: Attempt, claim: Claim, is_alive: Callable[[str], bool]) -> bool:
    """Tell whether an attempt stands in the way of a claim."""
    new = past.attempt_id > claim.looked_after
    if past.state == "rejected":
        return new and all(getattr(past, name) == claim.values[name] for name in _SAME)
    if not claim.values["repeatable"] or past.key != claim.values["key"] or past.run_id == claim.values["run_id"]:
        return False
    if past.state == "sending" and is_alive(past.run_id):
        return True
    # the same may go again, and what was there before was waited for
    return new and past.fingerprint != claim.values["fingerprint"]
