"""Settle documents in doubt by looking: found and agreeing is accepted, provably absent is not_sent, else it stays.

Nothing is concluded from absence while the API may still be working on the request, nor where the same kind of look-up
does not even find a document that is known to be there. Never writes to the API.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from importer.api.session import Session
from importer.api.verdict import judge_action, judge_create, judge_update
from importer.background import final_answer
from importer.endpoints import Endpoint
from importer.expect import Expectation, differences, number_of, other_amount
from importer.journal import Attempt
from importer.model import Status
from importer.search import Unreadable, by_number, candidates

SETTLE_AFTER_S: Final = 600.0
_MINUTES_FROM_S: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Say what became of an attempt in doubt."""

    status: Status
    number: str | None = None
    message: str
    #: True where the API could not be read
    unreadable: bool = False


@dataclass
class Resolver:
    """Look for documents in doubt in one company."""

    session: Session
    #: regime of a resource, as the target declares it; "" holds for all others
    numbering: Dictionary[str, str]
    settle_after_s: float = SETTLE_AFTER_S
    #: documents that the journal has accepted, by endpoint: each number's key
    numbers: dict[str, dict[str, str]] = field(default_factory=dict)
    #: attempts known to be accepted, by endpoint: what a look-up must be able to find
    accepted: dict[str, list[Attempt]] = field(default_factory=dict)

    def know(self, endpoint: str, attempts: Iterable[Attempt]) -> None:
        """Take note of what the journal has accepted."""
        found = [attempt for attempt in attempts if attempt.state == "accepted"]
        self.accepted[endpoint] = found
        self.numbers[endpoint] = {attempt.number: attempt.key for attempt in found if attempt.number}

    def settle(self, endpoint: Endpoint, attempt: Attempt) -> Settlement:
        """Return what looking tells of one attempt; a number that it found is nobody else's from then on."""
        settlement = self._settle(endpoint, attempt)
        if settlement.number and settlement.status is Status.ACCEPTED:
            self.numbers.setdefault(endpoint.name, {})[settlement.number] = attempt.key
        return settlement

    def _settle(self, endpoint: Endpoint, attempt: Attempt) -> Settlement:
        if attempt.job is not None:
            settlement = self._background(endpoint, attempt, attempt.job)
            if settlement is not None:
                return settlement
        if endpoint.kind == "update":
            again = "The same may be sent again: run again." if endpoint.repeatable else "Only Visma itself shows it."
            return _stays(f"An update cannot be looked up. {again}")
        if endpoint.kind == "action":
            return self._action(endpoint, attempt)
        expected = Expectation.load(attempt.expect)
        try:
            found = candidates(self.session, endpoint, expected)
            return self._judge(endpoint, attempt, expected, found)
        except Unreadable as error:
            return _stays(str(error), unreadable=True)

    def _background(self, endpoint: Endpoint, attempt: Attempt, job: str) -> Settlement | None:
        """Return what became of a background request; None where only a look-up can tell."""
        final = final_answer(self.session, job)
        if final is None:
            return None
        if isinstance(final, str):
            return _stays(final)
        expected = Expectation.load(attempt.expect)
        if endpoint.kind == "create":
            verdict = judge_create(final, asked_number=expected.number)
        elif endpoint.kind == "update":
            verdict = judge_update(final, number=attempt.key)
        else:
            verdict = judge_action(final, number=attempt.key)
        owner = self.numbers.get(endpoint.name, {}).get(verdict.number or "", attempt.key)
        unsure = verdict.status is Status.ACCEPTED and (verdict.number is None or owner != attempt.key)
        if verdict.status is Status.UNKNOWN or unsure:
            return None
        message = verdict.message or "It was carried out later, as Visma's background request says."
        return Settlement(status=verdict.status, number=verdict.number, message=message)

    def _action(self, endpoint: Endpoint, attempt: Attempt) -> Settlement:
        if not endpoint.proof:
            return _stays("Whether the action was done can only be seen in Visma.")
        try:
            found = by_number(self.session, endpoint, attempt.key)
        except Unreadable as error:
            return _stays(str(error), unreadable=True)
        seen = found.get(endpoint.proof["field"]) if found else None
        if seen is not None and seen not in endpoint.proof["leaves"]:
            message = f"Looked up: the {endpoint.proof['field']} is {seen}."
            return Settlement(status=Status.ACCEPTED, number=attempt.key, message=message)
        return _stays(f"The {endpoint.proof['field']} is still {seen!r}.")

    def _judge(
        self, endpoint: Endpoint, attempt: Attempt, expected: Expectation, found: Sequence[dict[str, object]]
    ) -> Settlement:
        others = self.numbers.get(endpoint.name, {})
        named: list[str] = []
        agreeing: list[tuple[str, dict[str, object]]] = []
        for read in found:
            number = number_of(endpoint, read) or "?"
            differing = differences(endpoint, expected, read)
            owner = others.get(number)
            if owner is not None and owner != attempt.key:
                named.append(f"{number} (the document with the key {owner!r})")
            elif differing:
                named.append(f"{number} (another {', '.join(differing)})")
            else:
                agreeing.append((number, read))
        if len(agreeing) > 1:
            return _stays(f"Two documents fit: {', '.join(number for number, _ in agreeing)}.")
        if agreeing:
            number, read = agreeing[0]
            amount = other_amount(expected, read)
            told = f" Its amount is {amount}, {expected.amount} was sent: compare them." if amount else ""
            return Settlement(
                status=Status.ACCEPTED, number=number, message=f"Looked up: it is in Visma as {number}.{told}"
            )
        if named:
            return _stays(f"What stands there is not it: {', '.join(named)}.")
        return self._absent(endpoint, attempt, expected)

    def _absent(self, endpoint: Endpoint, attempt: Attempt, expected: Expectation) -> Settlement:
        """Conclude that a document is not there, where that can be concluded."""
        age = self._age_s(attempt)
        if self.settle_after_s and age < self.settle_after_s:
            wait = self.settle_after_s - age
            return _stays(f"It is not there yet; Visma may still be working on it. Resolve again in {_duration(wait)}.")
        regime = self.numbering.get(endpoint.resource, self.numbering.get("", ""))
        by_ours = expected.number is not None and (expected.overrides or regime == "manual")
        kinds = [by_ours, bool(expected.reference and expected.customer), bool(expected.identifiers)]
        if not any(kinds):
            return _stays("Nothing in it can be searched for.")
        if not self._control(endpoint, by_number_too=by_ours, expected=expected):
            return _stays("It was not found, but the same look-up finds no document that is known to be there either.")
        return Settlement(status=Status.NOT_SENT, message="Looked up: it is not in Visma. Run again to send it.")

    def _age_s(self, attempt: Attempt) -> float:
        """Return how long ago the attempt was sent, by the server's own clock.

        Units: seconds.
        """
        now = self.session.server_now()
        return (now - datetime.fromisoformat(attempt.server_at or attempt.claimed_at)).total_seconds()

    def _control(self, endpoint: Endpoint, *, by_number_too: bool, expected: Expectation) -> bool:
        """Tell whether the same kinds of look-up find a document that is known to be there."""
        for known in reversed(self.accepted.get(endpoint.name, [])):
            other = Expectation.load(known.expect)
            number = other.number if by_number_too else None
            reference = other.reference if expected.reference else None
            identifiers = {name: other.identifiers[name] for name in expected.identifiers if name in other.identifiers}
            probe = Expectation(number=number, reference=reference, customer=other.customer, identifiers=identifiers)
            # a company may cut references: a short one that is found proves nothing of a longer one
            long = len(reference or "") >= len(expected.reference or "")
            whole = (not by_number_too or number) and (not expected.reference or reference) and long
            if not known.number or not whole or len(identifiers) < len(expected.identifiers):
                continue
            found = candidates(self.session, endpoint, probe)
            return any(number_of(endpoint, read) == known.number for read in found)
        return False


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES_FROM_S else f"{seconds / 60:.0f} min"


def _stays(reason: str, *, unreadable: bool = False) -> Settlement:
    return Settlement(status=Status.UNKNOWN, message=reason, unreadable=unreadable)
