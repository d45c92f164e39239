"""Look at what a run is about to write before the first write: the journal is the memory, the API is the truth.

Of creates it guards a journal that was lost, restored or is not the only one, and the invoice that somebody typed by
hand. Of updates it reads what would change, where the mapping asks for it. Of upserts it finds out which is which.
"""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

from importer.api.session import Session
from importer.decide import Clock, Known, decision
from importer.endpoints import Endpoint
from importer.existing import Index, Item, look_up
from importer.expect import Expectation, differences, number_of
from importer.lookup import prepare, read_one, unread
from importer.mapping import Mapping
from importer.model import Document, Status
from importer.upsert import find_existing


def look_ahead(
    session: Session, mapping: Mapping, sheet: str, documents: Sequence[Document], known: Known, clock: Clock
) -> tuple[Document, ...]:
    """Return the documents as they are to be sent; what the API makes needless or impossible has a status now.

    Raises: TargetError when the API cannot be searched, so that nothing may be written.
    """
    if mapping.endpoint.kind == "upsert":
        return find_existing(session, mapping, sheet, documents, known, clock)
    return look_before(session, mapping.endpoint, prepare(session, mapping, documents), known)


def look_before(
    session: Session, endpoint: Endpoint, documents: Sequence[Document], known: Known
) -> tuple[Document, ...]:
    """Return the documents; those that are in the API without the journal knowing have a status now.

    Raises: TargetError when the API cannot be searched, so that nothing may be written.
    """
    if endpoint.kind != "create":
        proof = endpoint.proof
        return _seen_done(session, endpoint, proof, documents, known) if proof else tuple(documents)
    known_numbers = {past.number: past.key for past in known.accepted.values() if past.number}
    ours = {(past.key, past.fingerprint) for past in known.once_doubtful.values()}
    expected = {
        document.key: _known(document)
        for document in documents
        if document.status is None and (document.key, document.fingerprint) not in known.waived
    }
    sought = {key: what for key, what in expected.items() if what.searchable}
    if not sought:
        return tuple(documents)
    # of what was corrected since an attempt that was in doubt, that one may be there with another date
    once = {past.key: past.fingerprint for past in known.once_doubtful.values()}
    corrected = [
        document.key
        for document in documents
        if document.key in sought and once.get(document.key or "", document.fingerprint) != document.fingerprint
    ]
    # and after an error under another reference, too
    former = {key: Expectation.load(known.refused[key].expect) for key in corrected if key and key in known.refused}
    singly = [*(sought[key] for key in corrected), *former.values()]
    index = look_up(session, endpoint, [*sought.values(), *former.values()], singly)

    def judged(document: Document) -> Document:
        if document.status is not None or document.key not in sought:
            return document
        found = _judged(document, endpoint, sought[document.key], index, known_numbers, ours)
        if found.status is not None or document.key not in former:
            return found
        return _left_by_error(document, endpoint, former[document.key], index, known_numbers)

    return tuple(map(judged, documents))


def _left_by_error(
    document: Document, endpoint: Endpoint, former: Expectation, index: Index, known_numbers: Dictionary[str, str]
) -> Document:
    """Hold a document whose former content was refused with an error, and is in Visma all the same."""
    numbers = [
        number
        for read in index.hits(former)
        if not differences(endpoint, former, read)
        and (number := number_of(endpoint, read)) is not None
        and number not in known_numbers
    ]
    if not numbers:
        return document
    message = (
        f"An earlier attempt with other content was refused with an error, but is in Visma as {', '.join(numbers)}; "
        f"nothing was sent. Correct it in Visma, or delete it there. {decision(document.key)}"
    )
    number = numbers[0] if len(numbers) == 1 else None
    return replace(document, status=Status.CHANGED, number=number, message=message)


def _seen_done(
    session: Session, endpoint: Endpoint, proof: Dictionary[str, Any], documents: Sequence[Document], known: Known
) -> tuple[Document, ...]:
    """Return the documents; an action that was refused with an error, but is seen to be done, has a status now."""

    def seen(document: Document) -> Document:
        if document.status is not None or not document.key or document.key not in known.refused:
            return document
        found = read_one(session, endpoint, document.key)
        if isinstance(found, str):
            return unread(document, found)
        value = found.data.get(proof["field"]) if found else None
        if value is None or value in proof["leaves"]:
            return document
        message = (
            f"The {proof['field']} is {value} already, after an attempt that was refused with an error; nothing was "
            "sent."
        )
        return replace(document, status=Status.ALREADY_ACCEPTED, message=message, number=document.key, adopted=True)

    return tuple(map(seen, documents))


def _known(document: Document) -> Expectation:
    """Return what a document is known by; a customer that an earlier step of a plan is to make is not there yet."""
    expected = Expectation.load(document.expect)
    return replace(expected, customer=None) if expected.customer in document.references else expected


def _judged(
    document: Document,
    endpoint: Endpoint,
    expected: Expectation,
    index: Index,
    known_numbers: Dictionary[str, str],
    ours: Set[tuple[str, str]],
) -> Document:
    """Return a document with what the API holds of it; `ours` are contents of which an attempt was once in doubt."""

    def unclaimed(hits: Sequence[Item]) -> list[Item]:
        return [
            read for read in hits if known_numbers.get(number_of(endpoint, read) or "", document.key) == document.key
        ]

    hits = index.hits(expected)
    own = [read for read in unclaimed(hits) if not differences(endpoint, expected, read)]
    if own:
        number = number_of(endpoint, own[0])
        if (document.key, document.fingerprint) in ours:
            message = f"It is in Visma as {number}, from an attempt that had ended in doubt; nothing was sent."
            return replace(document, status=Status.ALREADY_ACCEPTED, message=message, number=number, adopted=True)
        message = (
            f"It is in Visma already as {number}, without this journal knowing of it; nothing was sent. "
            f"{decision(document.key)}"
        )
        return replace(document, status=Status.CHANGED, number=number, message=message)
    # whatever bears our reference or identifier may be it, changed there since: only a number is given to others
    alike = unclaimed(index.hits(replace(expected, number=None)))
    if alike:
        return _alike(document, endpoint, expected, alike)
    taken = [read for read in hits if expected.number and number_of(endpoint, read) == expected.number]
    if taken:
        other = ", ".join(differences(endpoint, expected, taken[0]))
        message = (
            f"The number {expected.number} is taken in Visma by another document (another {other}); nothing was sent. "
            "Give this one a free number."
        )
        return replace(document, status=Status.REJECTED, number=None, message=message)
    return document


def _alike(document: Document, endpoint: Endpoint, expected: Expectation, found: Sequence[Item]) -> Document:
    """Leave to a person what bears the reference or an identifier of a document, but is not what it would be."""
    listed = ", ".join(
        f"{number_of(endpoint, read)} (another {', '.join(differences(endpoint, expected, read))})" for read in found
    )
    same = " or ".join(expected.identifiers) or f"{endpoint.reference_field} and customer"
    message = (
        f"In Visma the same {same} has {listed}, without this journal knowing of it; nothing was sent. See there "
        f"whether it is this one; --not-there also says that it is another. {decision(document.key)}"
    )
    number = number_of(endpoint, found[0]) if len(found) == 1 else None
    return replace(document, status=Status.CHANGED, number=number, message=message)
