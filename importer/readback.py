"""Read a created document back where its answer left its number open. Never writes."""

from collections.abc import Mapping as Dictionary
from dataclasses import replace
from typing import Any

from importer.api.session import Session
from importer.api.verdict import Verdict
from importer.endpoints import Endpoint
from importer.expect import Expectation, differences, number_of
from importer.model import Document, Status
from importer.search import Unreadable, by_number, candidates


def confirm(
    session: Session, endpoint: Endpoint, document: Document, verdict: Verdict, taken: Dictionary[str, str]
) -> Verdict:
    """Return the verdict on a create once its number is certain.

    An answer that names another number than was asked for is believed only where our document stands there; a number
    that the answer did not name, or that is another document's (`taken`: its key), is looked up.
    """
    owner = taken.get(verdict.number or "")
    if owner is not None and owner != document.key:
        verdict = replace(verdict, number=None, message="The answer named the number of another document.")
        looked_up = confirm(session, endpoint, document, verdict, {})
        return looked_up if looked_up.number else replace(verdict, status=Status.UNKNOWN)
    expected = Expectation.load(document.expect)
    try:
        if verdict.other_number:
            read = by_number(session, endpoint, verdict.other_number)
            if read is None or not is_ours(endpoint, expected, read):
                return verdict
            message = f"Visma gave it the number {verdict.other_number} instead of {document.number}."
            return replace(verdict, status=Status.ACCEPTED, number=verdict.other_number, message=message)
        if verdict.status is Status.ACCEPTED and verdict.number is None:
            found = [read for read in candidates(session, endpoint, expected) if is_ours(endpoint, expected, read)]
            if len(found) == 1:
                return replace(verdict, number=number_of(endpoint, found[0]), message="Its number was looked up.")
    except Unreadable:
        return verdict
    return verdict


def adopt(session: Session, endpoint: Endpoint, document: Document, verdict: Verdict) -> Verdict:
    """Return the verdict on a refused document of which an earlier attempt ended in doubt.

    Where the API refuses it because that attempt came through after all, it stands there under its number.
    """
    expected = Expectation.load(document.expect)
    try:
        read = by_number(session, endpoint, expected.number) if expected.number else None
    except Unreadable:
        return verdict
    if read is None or not is_ours(endpoint, expected, read):
        return verdict
    message = f"It is in Visma as {expected.number}, from an attempt that had ended in doubt."
    return replace(verdict, status=Status.ACCEPTED, number=expected.number, message=message)


def is_ours(endpoint: Endpoint, expected: Expectation, read: dict[str, Any]) -> bool:
    """Tell whether a document that was read is the one expected: by its reference, or else by what it says."""
    if differences(endpoint, expected, read):
        return False
    if endpoint.reference_field and expected.reference:
        return read.get(endpoint.reference_field) == expected.reference
    return bool((expected.customer and expected.day) or expected.name)
