"""Look at what a run is about to write before the first write: the journal is the memory, the API is the truth.

Of creates it guards a journal that was lost, restored or is not the only one, and the invoice that somebody typed by
hand. Of updates it reads what would change, where the mapping asks for it. Of upserts it finds out which is which.
"""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence, Set
from dataclasses import replace

from importer.api.session import Session
from importer.decide import Clock, Known, decision
from importer.endpoints import Endpoint
from importer.existing import Index, look_up
from importer.expect import Expectation, differences, number_of
from importer.lookup import prepare
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
        return tuple(documents)
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
    index = look_up(session, endpoint, list(sought.values()))
    return tuple(
        _adopted(_judged(document, endpoint, sought[document.key], index, known_numbers), ours)
        if document.status is None and document.key in sought
        else document
        for document in documents
    )


def _known(document: Document) -> Expectation:
    """Return what a document is known by; a customer that an earlier step of a plan is to make is not there yet."""
    expected = Expectation.load(document.expect)
    return replace(expected, customer=None) if expected.customer in document.references else expected


def _adopted(document: Document, ours: Set[tuple[str, str]]) -> Document:
    """Take what was found there for ours where an attempt of ours, with the same content, was once in doubt."""
    if document.status is not Status.CHANGED or (document.key, document.fingerprint) not in ours:
        return document
    message = f"It is in Visma as {document.number}, from an attempt that had ended in doubt; nothing was sent."
    return replace(document, status=Status.ALREADY_ACCEPTED, message=message, adopted=True)


def _judged(
    document: Document, endpoint: Endpoint, expected: Expectation, index: Index, known_numbers: Dictionary[str, str]
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
