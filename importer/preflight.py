"""Look for what is about to be created before the first write: the journal is the memory, the API is the truth.

It guards a journal that was lost, restored or is not the only one, and the invoice that somebody typed by hand. A list
over the documents' dates (or of all customers), or a look-up for each document, whichever costs fewer requests; every
row is compared here.
"""

from collections.abc import Iterable, Sequence, Set
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field, replace
from typing import Any

from importer.api.session import Session
from importer.decide import Known, decision
from importer.endpoints import Endpoint
from importer.errors import TargetError
from importer.expect import Expectation, differences, number_of
from importer.model import Document, Status
from importer.search import PAGE_SIZE, Unreadable, candidates, rows

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Index:
    """Hold what the API has, by everything that a document can be known by."""

    endpoint: Endpoint
    found: dict[tuple[str, str, str], list[Item]] = field(default_factory=dict)

    def add(self, read: Item) -> None:
        number = number_of(self.endpoint, read)
        party = read.get("customer")
        customer = str(party.get("number")) if isinstance(party, dict) else ""
        names = [("number", number, "")]
        if self.endpoint.reference_field:
            names.append(("reference", read.get(self.endpoint.reference_field), customer))
        names += [(name, read.get(name), "") for name in self.endpoint.identifiers]
        for kind, value, of in names:
            if isinstance(value, str) and value:
                self.found.setdefault((kind, value, of), []).append(read)

    def hits(self, expected: Expectation) -> list[Item]:
        keys = [(name, value, "") for name, value in expected.identifiers.items()]
        keys += [("number", expected.number, "")] if expected.number else []
        if expected.reference and expected.customer:
            keys.append(("reference", expected.reference, expected.customer))
        unique = {number_of(self.endpoint, read): read for key in keys for read in self.found.get(key, [])}
        return list(unique.values())


def look_before(
    session: Session, endpoint: Endpoint, documents: Sequence[Document], known: Known
) -> tuple[Document, ...]:
    """Return the documents; those that are in the API without the journal knowing have a status now.

    Raises: TargetError when the API cannot be searched, so that nothing may be written.
    """
    if endpoint.kind != "create":
        return tuple(documents)
    known_numbers = {past.number: past.key for past in known.accepted.values() if past.number}
    ours = {(past.key, past.fingerprint) for past in known.once_doubtful.values()}
    expected = {
        document.key: Expectation.load(document.expect)
        for document in documents
        if document.status is None and (document.key, document.fingerprint) not in known.waived
    }
    sought = {key: what for key, what in expected.items() if _lookups(what)}
    if not sought:
        return tuple(documents)
    try:
        index = _listed(session, endpoint, list(sought.values())) or _looked_up(session, endpoint, sought.values())
    except Unreadable as error:
        raise TargetError(f"What is in Visma already could not be looked up, so nothing is sent. {error}") from None
    return tuple(
        _adopted(_judged(document, endpoint, sought[document.key], index, known_numbers), ours)
        if document.status is None and document.key in sought
        else document
        for document in documents
    )


def _lookups(expected: Expectation) -> int:
    """Count the requests that looking for one document costs."""
    return bool(expected.number) + bool(expected.reference and expected.customer) + len(expected.identifiers)


def _listed(session: Session, endpoint: Endpoint, sought: Sequence[Expectation]) -> _Index | None:
    """Read one list that holds all that is sought; None where looking each up costs less, or dates are missing."""
    filters: dict[str, str] = {}
    if endpoint.lines is not None:
        days = [what.day for what in sought]
        if not all(days):
            return None
        filters = {"documentDate": min(day for day in days if day), "documentDateCondition": ">="}
    single = sum(map(_lookups, sought))
    index, whole = _Index(endpoint), True

    def dearer(total: int) -> bool:
        nonlocal whole
        whole = total / PAGE_SIZE <= single
        return not whole

    for read in rows(session, endpoint, filters, dearer):
        index.add(read)
    return index if whole else None


def _looked_up(session: Session, endpoint: Endpoint, sought: Iterable[Expectation]) -> _Index:
    index = _Index(endpoint)
    for what in sought:
        for read in candidates(session, endpoint, what):
            index.add(read)
    return index


def _adopted(document: Document, ours: Set[tuple[str, str]]) -> Document:
    """Take what was found there for ours where an attempt of ours, with the same content, was once in doubt."""
    if document.status is not Status.CHANGED or (document.key, document.fingerprint) not in ours:
        return document
    message = f"It is in Visma as {document.number}, from an attempt that had ended in doubt; nothing was sent."
    return replace(document, status=Status.ALREADY_ACCEPTED, message=message, adopted=True)


def _judged(
    document: Document, endpoint: Endpoint, expected: Expectation, index: _Index, known_numbers: Dictionary[str, str]
) -> Document:
    hits = index.hits(expected)
    own = [
        read
        for read in hits
        if not differences(endpoint, expected, read)
        and known_numbers.get(number_of(endpoint, read) or "", document.key) == document.key
    ]
    if own:
        number = number_of(endpoint, own[0])
        message = (
            f"It is in Visma already as {number}, without this journal knowing of it; nothing was sent. "
            f"{decision(document.key)}"
        )
        return replace(document, status=Status.CHANGED, number=number, message=message)
    taken = [read for read in hits if expected.number and number_of(endpoint, read) == expected.number]
    if taken:
        other = ", ".join(differences(endpoint, expected, taken[0]))
        message = (
            f"The number {expected.number} is taken in Visma by another document (another {other}); nothing was sent. "
            "Give this one a free number."
        )
        return replace(document, status=Status.REJECTED, number=None, message=message)
    return document
