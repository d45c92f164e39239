"""See what the API holds of what is sought: one list, or a look-up each, whichever costs fewer requests.

Every row is compared here, since the API passes over filters that it does not know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from importer.api.session import Session
from importer.endpoints import Endpoint
from importer.errors import TargetError
from importer.expect import Expectation, number_of, spelled
from importer.search import Unreadable, candidates, rows

#: By as much a date is corrected at most, so that a list over the dates still shows the document.
_CORRECTED: Final = timedelta(days=31)
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """Hold what the API has, by everything that a document can be known by."""

    endpoint: Endpoint
    found: dict[tuple[str, str, str], list[Item]] = field(default_factory=dict)

    def add(self, read: Item) -> None:
        """Take a document that was read."""
        number = number_of(self.endpoint, read)
        party = read.get("customer")
        customer = str(party.get("number")) if isinstance(party, dict) else ""
        names = [("number", number, "")]
        if self.endpoint.reference_field:
            names.append(("reference", spelled(read.get(self.endpoint.reference_field)), spelled(customer)))
        names += [(name, read.get(name), "") for name in self.endpoint.identifiers]
        for kind, value, of in names:
            if isinstance(value, str) and value:
                self.found.setdefault((kind, value, of), []).append(read)

    def take(self, found: Iterable[Item]) -> None:
        """Take several of them."""
        for read in found:
            self.add(read)

    def hits(self, expected: Expectation) -> list[Item]:
        """Return every document that bears the number, the reference or an identifier of the one expected."""
        keys = [(name, value, "") for name, value in expected.identifiers.items()]
        keys += [("number", expected.number, "")] if expected.number else []
        if expected.reference and expected.customer:
            keys.append(("reference", spelled(expected.reference), spelled(expected.customer)))
        unique = {number_of(self.endpoint, read): read for key in keys for read in self.found.get(key, [])}
        return list(unique.values())

    def numbers(self, expected: Expectation) -> dict[str, list[str]]:
        """Return the number of each record that is found, with the names of what found it."""
        asked = {"number": expected.number, **expected.identifiers}
        found: dict[str, list[str]] = {}
        for name, value in asked.items():
            for read in self.found.get((name, value or "", ""), []):
                names = found.setdefault(number_of(self.endpoint, read) or "?", [])
                names += [name] if name not in names else []
        return found


def look_up(
    session: Session, endpoint: Endpoint, sought: Sequence[Expectation], singly: Iterable[Expectation] = ()
) -> Index:
    """Return what the API has of what is sought; a list over the dates may not show `singly`.

    Raises: TargetError when the API cannot be searched, so that nothing may be written.
    """
    wanted = [what for what in sought if what.searchable]
    if not wanted:
        return Index(endpoint)
    try:
        return _listed(session, endpoint, wanted, singly) or _looked_up(session, endpoint, wanted)
    except Unreadable as error:
        raise TargetError(f"What is in Visma already could not be looked up, so nothing is sent. {error}") from None


def _lookups(expected: Expectation) -> int:
    """Count the requests that looking for one document costs."""
    return bool(expected.number) + bool(expected.reference and expected.customer) + len(expected.identifiers)


def _listed(
    session: Session, endpoint: Endpoint, sought: Sequence[Expectation], singly: Iterable[Expectation]
) -> Index | None:
    """Read one list that holds all that is sought; None where looking each up costs less, or dates are missing."""
    filters: dict[str, str] = {}
    if endpoint.lines is not None:
        days = [what.day for what in sought]
        if not all(days):
            return None
        filters = {"documentDate": _earlier(min(day for day in days if day)), "documentDateCondition": ">="}
    single = sum(map(_lookups, sought))
    index, whole = Index(endpoint), True

    def dearer(pages: int) -> bool:
        nonlocal whole
        whole = pages <= single
        return not whole

    for read in rows(session, endpoint, filters, dearer):
        index.add(read)
    if not whole:
        return None
    for what in singly:
        if what.searchable and not index.hits(what):
            index.take(candidates(session, endpoint, what))
    return index


def _earlier(day: str) -> str:
    """Return the day from which a list may hold a document of a day, its date corrected here or there."""
    try:
        return (date.fromisoformat(day) - _CORRECTED).isoformat()
    except (ValueError, OverflowError):
        return day


def _looked_up(session: Session, endpoint: Endpoint, sought: Iterable[Expectation]) -> Index:
    index = Index(endpoint)
    for what in sought:
        index.take(candidates(session, endpoint, what))
    return index
