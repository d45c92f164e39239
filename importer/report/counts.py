"""Count the documents and rows of a run by status."""

from collections.abc import Iterable
from dataclasses import dataclass

from importer.model import Outcome, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Hold how many documents have a status, and how many rows they have."""

    documents: int = 0
    rows: int = 0


def count(outcomes: Iterable[Outcome]) -> dict[Status, Count]:
    """Count by status; a status that no document has is there with zeros."""
    documents = dict.fromkeys(Status, 0)
    rows = dict.fromkeys(Status, 0)
    for outcome in outcomes:
        documents[outcome.status] += 1
        rows[outcome.status] += len(outcome.rows)
    return {status: Count(documents=documents[status], rows=rows[status]) for status in Status}
