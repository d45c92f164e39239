"""Decide what a run does with each document of a plan, by what the journal knows.

Pure: what the journal knows is an argument.
"""

import shlex
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from importer.endpoints import Endpoint, table
from importer.expect import Expectation, can_be_searched
from importer.model import Document, Past, Status, changed

#: What the journal keeps of a document that was sent, and what it is called.
_COMPARED: Final = {
    "number": "number",
    "reference": "reference",
    "customer": "customer",
    "day": "date",
    "currency": "currency",
    "lines": "lines",
    "amount": "net amount",
}


class Refused(NamedTuple):
    """Hold an attempt that was refused with an error after which it may be in Visma all the same."""

    past: Past
    #: what it must look like there, as it is written down
    expect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Hold what the journal knows of one company and endpoint."""

    #: the latest attempt for each identity
    by_identity: Dictionary[str, Past] = field(default_factory=dict)
    #: the latest accepted attempt for each key
    accepted: Dictionary[str, Past] = field(default_factory=dict)
    #: the latest attempt for each key, where it is in doubt
    doubtful: Dictionary[str, Past] = field(default_factory=dict)
    #: every attempt in doubt for each key, whatever was accepted since: it may yet be carried out
    in_doubt: Dictionary[str, Sequence[Past]] = field(default_factory=dict)
    #: accepted bodies by fingerprint
    by_body: Dictionary[str, Past] = field(default_factory=dict)
    #: key and fingerprint of what a person said is not in Visma, where no attempt since may have left it there
    waived: frozenset[tuple[str, str]] = frozenset()
    #: key and fingerprint of what a person said is not in Visma, ever
    told_apart: frozenset[tuple[str, str]] = frozenset()
    #: attempts that were once in doubt, by identity: what is found there may be what they left
    once_doubtful: Dictionary[str, Past] = field(default_factory=dict)
    #: the latest attempt for each key that was refused with an error, and of which no more is known
    refused: Dictionary[str, Refused] = field(default_factory=dict)
    #: of an upsert, what it knows of changes, by number; all of the above is of what was created
    updates: "Known | None" = None

    def holds(self, documents: Iterable[Document]) -> bool:
        """Tell whether each of some creates was accepted as it is; those with a status do not count."""

        def held(document: Document) -> bool:
            past = self.by_identity.get(document.identity)
            return past is not None and past.state == "accepted" and past.fingerprint == document.fingerprint

        return all(document.status is not None or held(document) for document in documents)

    def waited_for(self, documents: Iterable[Document]) -> bool:
        """Tell whether it takes the time to say which of some documents go out."""
        if self.updates is not None:
            # the API tells later what they change
            return bool(self.updates.in_doubt)
        return any(document.repeatable and document.key in self.in_doubt for document in documents)


@dataclass(frozen=True, slots=True)
class Clock:
    """Say what time it is for the API, and how long it may work on a request."""

    #: by the server's clock
    now: datetime
    settle_after_s: float

    def settled(self, past: Past) -> bool:
        """Tell whether the API can no longer be working on an attempt."""
        if not past.sent_at:
            return False
        return (self.now - datetime.fromisoformat(past.sent_at)).total_seconds() >= self.settle_after_s


def known_from(
    attempts: Iterable[Past],
    waived: frozenset[tuple[str, str]] = frozenset(),
    once_doubtful: Dictionary[str, Past] | None = None,
) -> Known:
    """Return what attempts, in the order of their claims, add up to."""
    identities: dict[str, Past] = {}
    accepted: dict[str, Past] = {}
    doubtful: dict[str, Past] = {}
    in_doubt: dict[str, list[Past]] = {}
    bodies: dict[str, Past] = {}
    for past in attempts:
        identities[past.identity] = past
        if past.state == "accepted":
            accepted[past.key] = past
            bodies[past.fingerprint] = past
            doubtful.pop(past.key, None)
        else:
            doubtful[past.key] = past
            in_doubt.setdefault(past.key, []).append(past)
    return Known(
        by_identity=identities,
        accepted=accepted,
        doubtful=doubtful,
        in_doubt=in_doubt,
        by_body=bodies,
        waived=waived,
        once_doubtful=once_doubtful or {},
    )


def decide(documents: Iterable[Document], known: Known, *, kind: str, clock: Clock) -> tuple[Document, ...]:
    """Return the documents with a status for all that will not be sent; without one, a document goes out."""

    def judge(document: Document) -> Document:
        if kind == "upsert":
            return _upsert(document, known)
        return _create(document, known) if kind == "create" else _update_or_action(document, known, clock)

    return tuple(document if document.status is not None else judge(document) for document in documents)


def _create(document: Document, known: Known) -> Document:
    past = known.by_identity.get(document.identity)
    if past is None:
        held = _held_by_error(document, known)
        return held_by_twin(held, known) if held.status is None else held
    if past.state != "accepted":
        return _in_doubt(document, past)
    if past.fingerprint == document.fingerprint:
        return _already(document, past)
    message = (
        f"Accepted on {_day(past)}{_as_number(past)} (run {past.run_id}) with other content; nothing was sent. "
        f"Correct it in Visma, or take the row back to what was sent. {decision(document.key)}"
    )
    return changed(document, status=Status.CHANGED, message=message, number=past.number)


def _upsert(document: Document, known: Known) -> Document:
    """Hold what may be there or not; for the others the API tells whether they are (preflight.py)."""
    past = known.by_identity.get(document.identity)
    if past is None:
        return _held_by_error(document, known)
    return document if past.state == "accepted" else _in_doubt(document, past)


def held_by_twin(document: Document, known: Known) -> Document:
    """Hold a create whose content an earlier run had accepted under another key."""
    twin = known.by_body.get(document.fingerprint)
    if twin is None or (document.key, document.fingerprint) in known.told_apart:
        return document
    message = (
        f"The same content was accepted under the key {twin.key!r} on {_day(twin)}{_as_number(twin)} (run "
        f"{twin.run_id}). Nothing was sent. If it is another document, change what tells them apart; if not, delete "
        f"the row. {decision(document.key)}"
    )
    return changed(document, status=Status.CHANGED, message=message)


def _update_or_action(document: Document, known: Known, clock: Clock) -> Document:
    key = document.key or ""
    if document.repeatable:
        document = held_by_doubt(document, known, clock)
        doubt, last = known.doubtful.get(key), known.accepted.get(key)
        if not document.waits and doubt is None and last is not None and last.fingerprint == document.fingerprint:
            return _already(document, last)
        return document
    past = known.by_identity.get(document.identity)
    if past is not None:
        return _already(document, past) if past.state == "accepted" else _in_doubt(document, past)
    doubt = known.doubtful.get(key)
    if doubt is not None:
        return _waits(document, doubt, settling(doubt.key))
    held = held_by_doubt(document, known, clock)
    return _behind_error(held, known) if held.status is None else held


def _held_by_error(document: Document, known: Known) -> Document:
    """Hold a create after an error of which no look-up shows whether it left something in Visma."""
    refused = known.refused.get(document.key or "")
    if refused is None or (can_be_searched(document.expect) and can_be_searched(refused.expect)):
        return document
    return _may_be_there(document, refused.past)


def is_unseen(endpoint: Endpoint, key: str, identity: str, expect: str) -> bool:
    """Tell whether no look-up shows what an attempt left that was refused with an error; then a person has to say."""
    if endpoint.kind == "create":
        return not can_be_searched(expect)
    # an update by key alone may be repeated; of what has a proof the API tells (preflight.py)
    return identity != key and endpoint.proof is None


def _behind_error(document: Document, known: Known) -> Document:
    """Hold what cannot be repeated after an error of which no look-up shows whether it was carried out."""
    refused = known.refused.get(document.key or "")
    if refused is None or not is_unseen(
        table()[document.endpoint], refused.past.key, refused.past.identity, refused.expect
    ):
        return document
    if refused.past.identity == document.identity:
        return _may_be_there(document, refused.past)
    message = (
        f"It waits: an attempt with other content for {document.key!r} on {_day(refused.past)} (run "
        f"{refused.past.run_id}) was refused with an error after which it may be carried out all the same. "
        f"{by_hand(document.key)}"
    )
    return changed(document, status=Status.NOT_SENT, message=message, waits=True)


def _may_be_there(document: Document, past: Past) -> Document:
    message = (
        f"An attempt on {_day(past)} (run {past.run_id}) was refused with an error after which it may be in Visma all "
        f"the same, and no look-up shows whether it is. Nothing was sent. {by_hand(document.key)}"
    )
    return changed(document, status=Status.UNKNOWN, message=message)


def held_by_doubt(document: Document, known: Known, clock: Clock) -> Document:
    """Hold a change for as long as an earlier one of the same thing, with other content, may yet be carried out."""
    for doubt in reversed(known.in_doubt.get(document.known_as or "", ())):
        if doubt.fingerprint != document.fingerprint and not clock.settled(doubt):
            then = f"Visma may still carry it out: run again in some minutes (--settle-after). {by_hand(doubt.key)}"
            return _waits(document, doubt, then)
    return document


def gone(document: Document, past: Past) -> Document:
    """Hold what was created earlier and is not there any more."""
    message = (
        f"Accepted on {_day(past)}{_as_number(past)} (run {past.run_id}), but it is not found in Visma now; nothing "
        f"was sent. {decision(document.key)}"
    )
    return changed(document, status=Status.CHANGED, message=message, number=past.number)


def since_accepted(document: Document, known: Known, expected: Dictionary[int, str]) -> str:
    """Say what is known of the difference between a document and its last accepted version; empty without one.

    `expected` holds by attempt what the journal keeps of what was sent: fingerprints tell that a content differs, not
    where.
    """
    past = known.by_identity.get(document.identity)
    past = past if past is not None and past.state == "accepted" else known.accepted.get(document.key or "")
    if past is None or not document.fingerprint or past.fingerprint == document.fingerprint:
        return ""
    kept = expected.get(past.attempt_id)
    found = _different(Expectation.load(kept), Expectation.load(document.expect)) if kept else []
    what = ", ".join(found) or "a field that the journal does not keep"
    return f"Changed since {_day(past)} (run {past.run_id}): {what}."


def _different(before: Expectation, after: Expectation) -> list[str]:
    """Name what is not the same, with both values; of a name only that it is another."""
    found = [
        f"{name} {getattr(before, field) or 'none'} -> {getattr(after, field) or 'none'}"
        for field, name in _COMPARED.items()
        if getattr(before, field) != getattr(after, field)
    ]
    return found + ["the name"] * (before.name != after.name)


def _already(document: Document, past: Past) -> Document:
    message = f"Accepted on {_day(past)}{_as_number(past)} (run {past.run_id}); nothing was sent."
    return changed(document, status=Status.ALREADY_ACCEPTED, message=message, number=past.number)


def _in_doubt(document: Document, past: Past) -> Document:
    message = (
        f"An attempt on {_day(past)} (run {past.run_id}) ended in doubt: it may or may not be in Visma. Nothing was "
        f"sent. {settling(document.key)}"
    )
    return changed(document, status=Status.UNKNOWN, message=message, number=past.number)


def _waits(document: Document, past: Past, then: str) -> Document:
    message = (
        f"It waits: an attempt with other content for {past.key!r} on {_day(past)} (run {past.run_id}) ended in doubt. "
        f"{then}"
    )
    return changed(document, status=Status.NOT_SENT, message=message, waits=True)


def settling(key: str | None) -> str:
    """Say how a document in doubt is settled."""
    return f"Have it looked up: visma-import resolve. {by_hand(key)}"


def by_hand(key: str | None) -> str:
    """Say how somebody who has looked settles a document in doubt."""
    return f"When you have seen it yourself: {_resolve(key)} --accepted NUMBER, or --not-there."


def decision(key: str | None) -> str:
    """Say how a changed document is decided."""
    return (
        f"Then decide: {_resolve(key)} --accepted (Visma has it as it is here now), or --not-there (it is gone there, "
        "send it)."
    )


def _resolve(key: str | None) -> str:
    return f"visma-import resolve --key {shlex.quote(key or '')}"


def _day(past: Past) -> str:
    return past.at[:16].replace("T", " ") + " UTC"


def _as_number(past: Past) -> str:
    return f" as {past.number}" if past.number else ""
