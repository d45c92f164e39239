"""Ask the journal what decides about a plan: attempts that stand, numbers that were given, what became of others."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import replace
from typing import Final

from importer.decide import Known, Refused, known_from
from importer.endpoints import Endpoint, creator, table
from importer.journal import Journal, changes
from importer.journal.attempts import WITHDRAWN
from importer.journal.tables import LIVE
from importer.model import Document, Outcome, Past, Reference, RunRecord, Status

_THEN: Final = "Not sent; the run after that one is accepted sends it."
_FOUND: Final = frozenset({Status.ACCEPTED, Status.ALREADY_ACCEPTED})


def known(journal: Journal, company: str, endpoint: str) -> Known:
    """Return what the journal knows of a company and an endpoint; of an upsert, of what it creates and changes."""
    row = table()[endpoint]
    if row.kind == "upsert":
        return replace(_known(journal, company, row.creates.name), updates=_known(journal, company, row.updates.name))
    return _known(journal, company, endpoint)


def once_doubtful(past: Known, endpoint: Endpoint) -> dict[tuple[str, str], int]:
    """Return the latest attempt that was once in doubt, or of a change is, by its endpoint's name and its identity."""
    updates = past.updates.once_doubtful if past.updates else {}
    pairs = ((endpoint.creates.name, past.once_doubtful), (endpoint.updates.name, updates))
    found = {(name, identity): once.attempt_id for name, known in pairs for identity, once in known.items()}
    if endpoint.kind != "create":
        for key, doubts in (past.updates or past).in_doubt.items():
            place = endpoint.updates.name, key
            found[place] = max(found.get(place, 0), doubts[-1].attempt_id)
    return found


def _known(journal: Journal, company: str, endpoint: str) -> Known:
    live: list[Past] = []
    once: dict[str, Past] = {}
    told_apart: set[tuple[str, str]] = set()
    waived: set[tuple[str, str]] = set()
    refused: dict[str, Past] = {}
    for past in journal.deciding(company, endpoint):
        same = (past.key, past.fingerprint)
        refused.pop(past.identity, None)
        if past.state == WITHDRAWN:
            told_apart.add(same)
            waived.add(same)
            continue
        # what was sent since may be there, whatever somebody saw before
        waived.discard(same)
        if past.state in LIVE:
            live.append(past)
        else:
            # what is found may as well be what that person saw, and had reversed: it is not taken for ours
            once[past.identity] = past._replace(fingerprint="") if same in told_apart else past
            if past.state == "rejected":
                refused[past.identity] = past
    known = replace(known_from(live, frozenset(waived), once), told_apart=frozenset(told_apart))
    return replace(known, refused=_with_expectations(journal, company, endpoint, refused)) if refused else known


def _with_expectations(
    journal: Journal, company: str, endpoint: str, refused: Dictionary[str, Past]
) -> dict[str, Refused]:
    """Return, by key, the latest attempt that was refused with an error, with what it is known by."""
    expected = {attempt.attempt_id: attempt.expect for attempt in journal.once_doubtful(company, endpoint)}
    return {past.key: Refused(past, expected.get(past.attempt_id, "")) for past in refused.values()}


def numbers_of(journal: Journal, company: str, origins: Dictionary[str, str]) -> Callable[[Reference], str | None]:
    """Return what tells the number of a document that is referred to; `origins` are the endpoints by name."""
    by_name = {name: _numbers(journal, company, endpoint) for name, endpoint in origins.items()}
    return lambda reference: by_name.get(reference.name, {}).get(reference.key)


def _numbers(journal: Journal, company: str, endpoint: str) -> dict[str, str]:
    attempts = journal.live_attempts(company, creator(endpoint))
    own = {one.key: one.number for one in attempts if one.state == "accepted" and one.number}
    # what an upsert found there is known under its key by what a run said of it alone
    return own if creator(endpoint) == endpoint else {**changes.numbers_told(journal, company, endpoint), **own}


def hold_back(
    documents: Sequence[Document],
    journal: Journal | None,
    company: str,
    origins: Dictionary[str, str],
    promised: Callable[[Reference], bool] = lambda _reference: False,
) -> tuple[Document, ...]:
    """Return the documents; those whose references have no number have a status now, and say what they wait for.

    `promised` are references that an earlier step of a plan will fill in.
    """

    def wanting(document: Document) -> list[Reference]:
        return [] if document.status is not None else [one for one in document.references if not promised(one)]

    sought: dict[str, set[str]] = {}
    for document in documents:
        for reference in wanting(document):
            sought.setdefault(origins.get(reference.name, ""), set()).add(reference.key)
    if not sought:
        return tuple(documents)
    last = {
        endpoint: journal.last_outcomes(company, endpoint, sorted(keys)) if journal else {}
        for endpoint, keys in sought.items()
    }

    def held(document: Document) -> Document:
        found = [(one, last[origins.get(one.name, "")].get(one.key)) for one in wanting(document)]
        if not found:
            return document
        message = " ".join([*(_why(*one) for one in found), _THEN])
        doubt = any(past is not None and past[1].status is Status.UNKNOWN for _, past in found)
        return replace(document, status=Status.NOT_SENT, message=message, blocked=True, waits=doubt)

    return tuple(held(document) for document in documents)


def _why(reference: Reference, past: tuple[RunRecord, Outcome] | None) -> str:
    """Say why a reference has no number."""
    named = f"{reference.name} {reference.key!r}"
    if past is None:
        return f"It refers to {named}, which no run has had accepted. Run {reference.name} first."
    record, outcome = past
    rows = f"row{'s' if len(outcome.rows) > 1 else ''} {', '.join(map(str, outcome.rows[:5]))}"
    place = f"{record.workbook_name}, sheet {record.sheet}, {rows}"
    if outcome.status in _FOUND:
        return f"It refers to {named} ({place}), which is in Visma without its number being known. Look it up there."
    told = outcome.problems[0].message if outcome.problems else outcome.message
    status = outcome.status.value.replace("_", " ")
    return f"It refers to {named} ({place}), which is {status}: {_first_sentence(told)}"


def _first_sentence(text: str) -> str:
    head, dot, _rest = text.partition(". ")
    return f"{head}." if dot else text
