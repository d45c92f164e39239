"""See, at the end of a run, that the numbers which Visma gave are those of our documents. Never writes.

An answer may name another document than the one it is about. One list of what changed since the run began shows most
numbers at once; what it does not show is read by its number.
"""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from importer.api.session import Session
from importer.endpoints import Endpoint
from importer.expect import Expectation, differences, number_of, spelled
from importer.model import Document
from importer.readback import is_ours
from importer.search import Unreadable, by_number, candidates, rows

#: Hours before the run from which the list begins: whatever zone its times are in.
_MARGIN: Final = timedelta(hours=26)
#: Documents that the list does not show, as one that lags, of which each is read; more would cost as much as the run.
_MOST_READ: Final = 50
Item = dict[str, Any]


def misnamed(
    session: Session, endpoint: Endpoint, given: Sequence[tuple[Document, str]], since: datetime
) -> dict[str, str | None]:
    """Return, by key, the right number of each document whose given number is not its own; None where none is known."""
    found: dict[str, str | None] = {}
    listed = _listed(session, endpoint, since, most=len(given))
    unlisted = 0
    for document, number in given:
        expected, row = Expectation.load(document.expect), listed.get(number)
        unlisted += row is None
        believed = unlisted > _MOST_READ if row is None else not _contradicts(endpoint, expected, row)
        if believed:
            continue
        try:
            # a list may leave things out: what contradicts is the document itself
            read = by_number(session, endpoint, number)
            if read is None or _contradicts(endpoint, expected, read):
                found[document.key or ""] = _right_number(session, endpoint, expected)
        except Unreadable:
            # an answer that cannot be checked is believed
            continue
    return found


def _listed(session: Session, endpoint: Endpoint, since: datetime, most: int) -> Dictionary[str, Item]:
    """Return what changed lately, by number; nothing where that takes more requests than reading each."""
    begin = (since - _MARGIN).strftime("%Y-%m-%dT%H:%M:%S")
    filters = {"lastModifiedDateTime": begin, "lastModifiedDateTimeCondition": ">="}
    try:
        found = list(rows(session, endpoint, filters, lambda pages: pages > most))
    except Unreadable:
        return {}
    return {number: row for row in found if (number := number_of(endpoint, row))}


def _contradicts(endpoint: Endpoint, expected: Expectation, read: Item) -> bool:
    """Tell whether what was read is certainly another document; what Visma may have rewritten is no sign of that."""
    if endpoint.reference_field and expected.reference:
        there = read.get(endpoint.reference_field)
        # a reference may be cut to the length that fits, or kept in capitals
        return not (there and isinstance(there, str) and spelled(expected.reference).startswith(spelled(there)))
    different = set(differences(endpoint, expected, read))
    if expected.identifiers:
        same = [name for name, value in expected.identifiers.items() if read.get(name) == value]
        return not same and "name" in different
    return bool(different & {"customer", "date"})


def _right_number(session: Session, endpoint: Endpoint, expected: Expectation) -> str | None:
    own = [read for read in candidates(session, endpoint, expected) if is_ours(endpoint, expected, read)]
    return number_of(endpoint, own[0]) if len(own) == 1 else None
