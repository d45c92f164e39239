"""Send one document: claim, send once, settle. The only module that sends a write."""

import threading
import time
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from importer import background
from importer.api.client import Answer, NoAnswer
from importer.api.session import Session
from importer.api.verdict import Then, Verdict, judge_action, judge_create, judge_update
from importer.decide import decision, settling
from importer.endpoints import Endpoint, table
from importer.journal import AlreadyClaimed, Attempt, Journal
from importer.lookup import path_for, prove
from importer.model import Document, Outcome, RunRecord, Status, changed
from importer.readback import adopt, confirm

_EXPLAINED: Final = frozenset({Status.REJECTED, Status.NOT_SENT})
_IN_FLIGHT: Final = "The run ended while the document was being sent: it may or may not be in Visma."
#: A claim older than this is not sent any more, for the machine has slept: it is claimed anew.
_FRESH_S: Final = 60.0
#: Of a document that was claimed, and did not go out, since nothing may now.
HELD: Final = Verdict(status=Status.NOT_SENT, message="Not sent: it waited for others. Run again.", then=Then.AGAIN)
_SLEPT: Final = Verdict(status=Status.NOT_SENT, message="Not sent: the machine has slept. Run again.", then=Then.AGAIN)


def now_utc() -> str:
    """Return the time as ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Unsettled:
    """Hold the settlements of one worker that go along with its next claim."""

    #: told of each outcome once it is committed
    tell: Callable[[Outcome], None]
    _left: list[tuple[Callable[[], None], list[Outcome], Outcome]] = field(default_factory=list)

    def add(self, committed: Callable[[], None], outcomes: list[Outcome], settled: Outcome) -> None:
        """Take what waits for a settlement, and the outcomes among which its outcome belongs then."""
        self._left.append((committed, outcomes, settled))

    def finish(self) -> None:
        """Wait until all of them are committed.

        Raises: JournalError when one cannot be written.
        """
        left, self._left = self._left, []
        for committed, outcomes, settled in left:
            committed()
            outcomes[settled.position] = settled
            self.tell(settled)


@dataclass
class Sender:
    """Claim, send and settle documents of one run; safe for threads."""

    record: RunRecord
    #: the mapping's; a document may have one of its own
    endpoint: Endpoint
    #: version of the API
    api: str
    journal: Journal
    session: Session
    #: the outcome of each document by its position; kept up to date here
    outcomes: list[Outcome]
    now: Callable[[], str] = now_utc
    #: puts cause and advice into the message of a document that the API refused
    explain: Callable[[str], str] = str
    #: numbers that documents of the journal have, with their keys
    taken: dict[str, str] = field(default_factory=dict)
    #: the latest attempt that was once in doubt, by endpoint and identity; all were looked for before this run
    once_doubtful: Dictionary[tuple[str, str], int] = field(default_factory=dict)
    #: claims that are not settled yet, by position
    _open: dict[int, int] = field(default_factory=dict)
    #: what an exchange, whose claim took so many seconds, is made in; says whether it may go out
    slot: Callable[[float], AbstractContextManager[bool]] = lambda _claim_s: nullcontext(enter_result=True)
    #: told the position and the verdict of each document before its slot is free for another one
    heed: Callable[[int, Verdict], None] = lambda _position, _verdict: None
    _given_up: bool = False
    _lock: Any = field(default_factory=threading.Lock)

    def send(self, document: Document, position: int, unsettled: Unsettled | None = None) -> Verdict | None:
        """Send a document once and keep its outcome; no verdict where another run has it, or it was given up.

        With `unsettled` one that is accepted may be left to it to be settled; what is left there is settled before
        this one is sent. HELD where it was claimed, and the claim taken back, since nothing may go out now.
        """
        outcome, claimed_at, began = self.outcomes[position], self.now(), self.session.clocks()
        in_flight = changed(
            outcome, status=Status.UNKNOWN, message=f"{_IN_FLIGHT} {settling(document.known_as)}", sent_at=claimed_at
        )
        try:
            server_at = self.session.server_latest().isoformat()
            looked_after = self.once_doubtful.get((self._endpoint(document).name, document.identity), 0)
            attempt = self.journal.claim(self.record, document, in_flight, claimed_at, server_at, looked_after)
        except AlreadyClaimed as error:
            self.outcomes[position] = self._claimed_by(outcome, document, error.attempt)
            return None
        finally:
            if unsettled is not None:
                # committed with the claim, or before it
                unsettled.finish()
        with self.slot(time.monotonic() - began[0]) as free:
            if not free or not self._opened(position, attempt, in_flight):
                # nothing of it has left
                self.journal.settle(self.record, attempt, outcome, self.now())
                return None if free else HELD
            slept = max(after - before for before, after in zip(began, self.session.clocks(), strict=True)) > _FRESH_S
            verdict = _SLEPT if slept else self._exchange(document)
            if verdict.job is not None:
                # kept before it is followed, so that a kill meanwhile does not lose it
                self.journal.keep_job(attempt, verdict.job, verdict.evidence)
                verdict = self._followed(document, verdict, verdict.job)
            self.heed(position, verdict)
        if not self._closed(position):
            return None
        settled = changed(
            outcome,
            status=verdict.status,
            number=verdict.number or outcome.number,
            http_status=verdict.http_status,
            message=self._message(document, verdict),
            sent_at=None if verdict.status is Status.NOT_SENT else claimed_at,
        )
        if verdict.status is Status.UNKNOWN:
            self.session.pace.doubt()
        later = unsettled if verdict.status is Status.ACCEPTED else None
        committed = self.journal.settle(self.record, attempt, settled, self.now(), verdict.evidence, wait=later is None)
        if later is None:
            self.outcomes[position] = settled
        else:
            later.add(committed, self.outcomes, settled)
        return verdict

    def give_up(self) -> None:
        """Leave what is in flight in doubt, and settle nothing any more."""
        with self._lock:
            self._given_up = True
            left, self._open = self._open, {}
        for position, attempt in left.items():
            self.journal.settle(self.record, attempt, self.outcomes[position], self.now())

    def _opened(self, position: int, attempt: int, in_flight: Outcome) -> bool:
        """Count a claim among those in flight, its outcome with it; false where it was given up before."""
        with self._lock:
            if not self._given_up:
                self._open[position] = attempt
                self.outcomes[position] = in_flight
            return not self._given_up

    def _closed(self, position: int) -> bool:
        with self._lock:
            return self._open.pop(position, None) is not None

    def _endpoint(self, document: Document) -> Endpoint:
        return table()[document.endpoint] if document.endpoint else self.endpoint

    def _message(self, document: Document, verdict: Verdict) -> str:
        if verdict.status is Status.UNKNOWN:
            return f"{verdict.message} {settling(document.known_as)}"
        if verdict.status is Status.ACCEPTED:
            return f"{document.message} {verdict.message}".strip()
        return self.explain(verdict.message) if verdict.status in _EXPLAINED else verdict.message

    def _exchange(self, document: Document) -> Verdict:
        endpoint = self._endpoint(document)
        path = path_for(endpoint.path[self.api], document.known_as or "")
        headers = {"If-Match": f'"{document.etag}"'} if document.etag else {}
        return self._judge(document, self.session.write(endpoint.method, path, document.body, headers))

    def _followed(self, document: Document, verdict: Verdict, job: str) -> Verdict:
        """Return the verdict once the background request that was made of a document has ended, if it does soon."""
        final = background.final_answer(self.session, job, background.WAITS_S)
        if isinstance(final, Answer):
            later = self._judge(document, final)
            # the job is over: whatever it answered, nobody is to wait for it any more
            return replace(later, job=None, then=Then.NEXT if later.then is Then.AGAIN else later.then)
        return replace(verdict, message=f"{verdict.message} {final or ''}".strip())

    def _judge(self, document: Document, result: Answer | NoAnswer) -> Verdict:
        endpoint = self._endpoint(document)
        if endpoint.kind == "create":
            return self._create(endpoint, document, judge_create(result, asked_number=document.number))
        if endpoint.kind == "update":
            return judge_update(result, number=document.known_as)
        verdict = judge_action(result, number=document.key)
        if endpoint.proof and (verdict.queued or verdict.status is Status.ACCEPTED):
            return prove(self.session, endpoint, verdict, document.key or "")
        return verdict

    def _create(self, endpoint: Endpoint, document: Document, verdict: Verdict) -> Verdict:
        verdict = confirm(self.session, endpoint, document, verdict, self.taken)
        if verdict.status is Status.REJECTED and (endpoint.name, document.identity) in self.once_doubtful:
            verdict = adopt(self.session, endpoint, document, verdict)
        if verdict.status is not Status.ACCEPTED or not verdict.number:
            return verdict
        with self._lock:
            owner = self.taken.setdefault(verdict.number, document.key or "")
        if owner == (document.key or ""):
            return verdict
        message = f"The answer named {verdict.number}, which is the number of the document with the key {owner!r}."
        return replace(verdict, status=Status.UNKNOWN, number=None, message=message)

    def _claimed_by(self, outcome: Outcome, document: Document, attempt: Attempt) -> Outcome:
        """Return the outcome of a document that another run claimed since the plan was made."""
        if attempt.state == "accepted":
            same = attempt.fingerprint == document.fingerprint
            text = "nothing was sent." if same else f"with other content; nothing was sent. {decision(document.key)}"
            status = Status.ALREADY_ACCEPTED if same else Status.CHANGED
            message = f"Run {attempt.run_id} had it accepted meanwhile, {text}"
            found = replace(outcome, status=status, number=attempt.number, message=message)
        elif attempt.state == "rejected":
            message = (
                f"Run {attempt.run_id} was refused it meanwhile by an error after which it may be in Visma all the "
                "same; this run sent nothing. Run again: it is looked for first."
            )
            found = replace(outcome, message=message)
        else:
            message = (
                f"Run {attempt.run_id} is sending it, or ended in doubt over it; this run sent nothing. Run again."
            )
            found = replace(outcome, status=Status.UNKNOWN, message=message)
        self.journal.note(self.record, found)
        return found
