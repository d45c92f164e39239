"""Settle, within a run, what is in doubt: at its start what earlier runs left, at its end what it left itself.

Only documents of the run's own plan are looked up; `resolve` looks up all the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from importer.decide import by_hand, settling
from importer.endpoints import Endpoint, table
from importer.expect import Expectation
from importer.journal import Attempt, Journal
from importer.journal.numbers import unverified, verified
from importer.model import Document, Outcome, RunRecord, Status
from importer.resolve import Resolver, Settlement
from importer.verify import misnamed

BY_LOOKING: Final = "look-up"
_DOUBTFUL: Final = frozenset({"sending", "unknown"})


def is_in_hand(journal: Journal, attempt: Attempt) -> bool:
    """Tell whether a live run still has an attempt in hand, so that nobody else may settle it."""
    return attempt.state == "sending" and journal.is_alive(attempt.run_id)


@dataclass
class Doubts:
    """Look up documents of one plan that are in doubt."""

    journal: Journal
    resolver: Resolver
    endpoint: Endpoint
    company: str
    now: Callable[[], str]

    def settle_earlier(self, documents: Sequence[Document]) -> bool:
        """Settle what earlier runs left in doubt; true where anything changed."""
        wanted = {
            self._spot(document)
            for document in documents
            if document.waits or document.status in {None, Status.UNKNOWN}
        }
        changed = False
        for spot, attempt in self._live().items():
            if spot not in wanted or attempt.state not in _DOUBTFUL or is_in_hand(self.journal, attempt):
                continue
            settlement = self.resolver.settle(table()[attempt.endpoint], attempt)
            if settlement.unreadable:
                break
            if settlement.status is not Status.UNKNOWN:
                self._decide(attempt, settlement)
                changed = True
        return changed

    def adopt(self, documents: Sequence[Document]) -> None:
        """Write down what was found there although an earlier look-up had not found it."""
        if not any(document.adopted for document in documents):
            return
        doubtful = {spot: attempt for spot, attempt in self._live().items() if attempt.state in _DOUBTFUL}
        once = {
            (name, attempt.identity): attempt
            for name in self._names
            for attempt in self.journal.once_doubtful(self.company, name)
        }
        for document in documents:
            spot = self._spot(document)
            attempt = doubtful.get(spot) or once.get(spot) if document.adopted else None
            if attempt is not None and not is_in_hand(self.journal, attempt):
                found = Settlement(status=Status.ACCEPTED, number=document.number, message=document.message)
                self._decide(attempt, found)

    def settle(self, record: RunRecord, documents: Sequence[Document], outcomes: list[Outcome]) -> None:
        """Settle, at the end of a run, what can be settled by looking."""
        self.verify_own(record, documents, outcomes)
        self.settle_own(record, documents, outcomes)

    def settle_own(self, record: RunRecord, documents: Sequence[Document], outcomes: list[Outcome]) -> None:
        """Settle what is in doubt at the end of a run, and put it into the outcomes."""
        if not any(outcome.status is Status.UNKNOWN for outcome in outcomes):
            return
        live, refused, readable = self._live(), self._refused_before(record), True
        for position, outcome in enumerate(outcomes):
            if outcome.status is not Status.UNKNOWN:
                continue
            attempt = live.get(self._spot(documents[position]))
            if attempt is None and self._spot(documents[position]) in refused:
                # no look-up shows whether it is there
                continue
            if attempt is None or attempt.state not in _DOUBTFUL:
                found = _settled_meanwhile(outcome, documents[position], attempt)
            elif readable and not (attempt.run_id != record.run_id and is_in_hand(self.journal, attempt)):
                settlement = self.resolver.settle(table()[attempt.endpoint], attempt)
                readable = not settlement.unreadable
                if settlement.status is not Status.UNKNOWN and not self._decide(attempt, settlement):
                    # somebody else settled it while we looked; the next run knows how
                    continue
                found = _looked_up(outcome, settlement, attempt, own=attempt.run_id == record.run_id)
            else:
                continue
            self.journal.note(record, found)
            outcomes[position] = found

    def _refused_before(self, record: RunRecord) -> set[tuple[str, str]]:
        """Return what earlier runs were refused with an error after which it may be there all the same."""
        latest = {
            (name, attempt.identity): attempt
            for name in self._names
            for attempt in self.journal.once_doubtful(self.company, name)
        }
        return {
            spot
            for spot, attempt in latest.items()
            if attempt.state == "rejected" and (attempt.settled_at or "") < record.started_at
        }

    def verify_own(self, record: RunRecord, documents: Sequence[Document], outcomes: list[Outcome]) -> None:
        """See that the numbers which Visma gave in this run are its documents' own; put right those that are not."""
        given = [
            (documents[outcome.position], outcome.number)
            for outcome in outcomes
            if outcome.status is Status.ACCEPTED
            and outcome.number not in {None, documents[outcome.position].number}
            and documents[outcome.position].endpoint == self.endpoint.creates.name
        ]
        if not self.endpoint.may_create or not given:
            return
        session = self.resolver.session
        since = min(session.server_now(), datetime.fromisoformat(record.started_at))
        wrong = misnamed(
            session, self.endpoint.creates, [(document, number or "") for document, number in given], since
        )
        live = self._live() if wrong else {}
        for position, outcome in enumerate(outcomes):
            attempt = live.get(self._spot(documents[position]))
            if attempt is None or outcome.key not in wrong or outcome.status is not Status.ACCEPTED:
                continue
            right = _corrected(attempt.key, outcome.number, wrong[outcome.key])
            found = replace(outcome, status=right.status, number=right.number, message=right.message)
            if self._decide(attempt, right):
                self.journal.note(record, found)
                outcomes[position] = found

    def unverified(self, documents: Sequence[Document]) -> list[Attempt]:
        """Return what earlier runs had accepted of the plan that ended before they saw whose its number is."""
        if not self.endpoint.may_create:
            return []
        name, wanted = self.endpoint.creates.name, {document.key for document in documents}
        found = [each for each in unverified(self.journal, self.company, name) if each.key in wanted]
        ended = {run_id for run_id in {each.run_id for each in found} if not self.journal.is_alive(run_id)}
        return [each for each in found if each.run_id in ended and each.number != Expectation.load(each.expect).number]

    def verify_earlier(self, attempts: Sequence[Attempt]) -> bool:
        """See that the numbers which Visma gave to attempts are their own; true where one is not, and was put right."""
        given = [(Document(key=each.key, rows=(), expect=each.expect), each.number or "") for each in attempts]
        since = min(datetime.fromisoformat(each.server_at or each.claimed_at) for each in attempts)
        wrong = misnamed(self.resolver.session, self.endpoint.creates, given, since)
        for attempt in attempts:
            if attempt.key in wrong:
                self._decide(attempt, _corrected(attempt.key, attempt.number, wrong[attempt.key]))
        verified(self.journal, [each for each in attempts if each.key not in wrong], BY_LOOKING)
        return bool(wrong)

    @property
    def _names(self) -> tuple[str, ...]:
        """Return the endpoints by which the journal knows the documents."""
        return tuple(dict.fromkeys((self.endpoint.creates.name, self.endpoint.updates.name)))

    def _spot(self, document: Document) -> tuple[str, str]:
        """Return what the journal guards a document by."""
        return document.endpoint or self.endpoint.name, document.identity

    def _live(self) -> dict[tuple[str, str], Attempt]:
        found: dict[tuple[str, str], Attempt] = {}
        for name in self._names:
            attempts = self.journal.live_attempts(self.company, name)
            self.resolver.know(name, attempts)
            found |= {(name, attempt.identity): attempt for attempt in attempts}
        return found

    def _decide(self, attempt: Attempt, settlement: Settlement) -> bool:
        return self.journal.decide(
            attempt,
            settlement.status.value,
            settlement.message,
            self.now(),
            number=settlement.number,
            by=BY_LOOKING,
        )


def _corrected(key: str, given: str | None, right: str | None) -> Settlement:
    """Return what became of a document whose number was that of another one."""
    if right is not None:
        message = f"Visma's answer named {given}, which is another document; it was looked up."
        return Settlement(status=Status.ACCEPTED, number=right, message=message)
    message = f"Visma answered that it was made, under the number {given}, which is not it. {settling(key)}"
    return Settlement(status=Status.UNKNOWN, message=message)


def _looked_up(outcome: Outcome, settlement: Settlement, attempt: Attempt, *, own: bool) -> Outcome:
    """Return an outcome after its look-up."""
    if settlement.status is Status.UNKNOWN:
        told = outcome.message.removesuffix(settling(attempt.key)).strip()
        return replace(outcome, message=f"{told} Looked up: {settlement.message} {by_hand(attempt.key)}")
    accepted = Status.ACCEPTED if own else Status.ALREADY_ACCEPTED
    status = accepted if settlement.status is Status.ACCEPTED else settlement.status
    return replace(outcome, status=status, number=settlement.number, message=settlement.message)


def _settled_meanwhile(outcome: Outcome, document: Document, attempt: Attempt | None) -> Outcome:
    """Return the outcome of a document that the run which had it in hand has settled since."""
    if attempt is None:
        return replace(
            outcome, status=Status.NOT_SENT, message="Another run had it in hand, without success. Run again."
        )
    same = attempt.fingerprint == document.fingerprint
    if document.repeatable and not same:
        message = f"Run {attempt.run_id} had other content accepted meanwhile; this was not sent. Run again to send it."
        return replace(outcome, status=Status.NOT_SENT, message=message)
    return replace(
        outcome,
        status=Status.ALREADY_ACCEPTED if same else Status.CHANGED,
        number=attempt.number,
        message=f"Run {attempt.run_id} had it accepted meanwhile{'' if same else ' with other content'}.",
    )
