"""Carry a plan out: claim, send once, settle. The only module that sends a write."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import Final, Protocol

from importer.api.session import Session
from importer.api.verdict import Then, Verdict, grouping, judge_action, judge_create, judge_update
from importer.decide import Known, Past, decision, known_from, settling
from importer.endpoints import Endpoint
from importer.errors import DoubtError, JournalError, ProgramError, StoppedError
from importer.journal import AlreadyClaimed, Attempt, Journal
from importer.lookup import path_for, prove
from importer.model import Document, Outcome, RunRecord, Status
from importer.readback import confirm

#: As many equal rejections in a row stop a run: what is wrong is not in the documents.
SAME_REJECTIONS: Final = 25
_EXPLAINED: Final = frozenset({Status.REJECTED, Status.NOT_SENT})
_WAITING: Final = "The run ended before the document was sent. Run again."
_IN_FLIGHT: Final = "The run ended while the document was being sent: it may or may not be in Visma."


class Progress(Protocol):
    """Take what a run tells while it goes on."""

    def settled(self, outcome: Outcome) -> None:
        """Note that a document has its outcome."""


def now_utc() -> str:
    """Return the time as ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def known(journal: Journal, company: str, endpoint: str) -> Known:
    """Return what the journal knows of a company and an endpoint."""
    attempts = (
        Past(
            key=attempt.key,
            identity=attempt.identity,
            state=attempt.state,
            fingerprint=attempt.fingerprint,
            number=attempt.number,
            run_id=attempt.run_id,
            at=attempt.settled_at or attempt.claimed_at,
        )
        for attempt in journal.live_attempts(company, endpoint)
    )
    return known_from(attempts, journal.waived(company, endpoint))


def first_outcomes(documents: Sequence[Document]) -> list[Outcome]:
    """Return the outcome of each document before anything is sent: what will be sent is `not_sent` so far."""
    return [
        Outcome(
            position=position,
            key=document.key,
            status=document.status or Status.NOT_SENT,
            rows=document.rows,
            number=_number(document),
            message=document.message if document.status else _WAITING,
            problems=document.problems,
            fingerprint=document.fingerprint,
        )
        for position, document in enumerate(documents)
    ]


def _number(document: Document) -> str | None:
    """Return the number to show before anything was sent: the one in the path, or what the journal remembers."""
    return document.number if document.status else None


@dataclass
class Flight:
    """Say whether a request is on its way, so that it may be given up."""

    going: bool = False


@dataclass
class Run:
    """Send the documents of one plan, one after the other."""

    record: RunRecord
    endpoint: Endpoint
    #: path of the endpoint in the mapping's API version
    path: str
    journal: Journal
    session: Session
    progress: Progress
    #: set from outside to end the run after the document in flight
    stop: Event
    now: Callable[[], str] = now_utc
    flight: Flight = field(default_factory=Flight)
    #: puts cause and advice into the message of a document that the API refused
    explain: Callable[[str], str] = str
    #: numbers that documents of the journal have, with their keys
    taken: dict[str, str] = field(default_factory=dict)

    def execute(self, documents: Sequence[Document]) -> tuple[RunRecord, list[Outcome]]:
        """Send every document that has no status yet; return how the run and each document ended.

        Raises: JournalError when the run cannot be written down, so that nothing was sent; StoppedError or DoubtError
        when the journal can no longer be written on the way.
        """
        outcomes = first_outcomes(documents)
        self.journal.start_run(self.record, outcomes)
        try:
            stopped = self._send_all(documents, outcomes)
        except JournalError as error:
            doubt = any(outcome.status is Status.UNKNOWN for outcome in outcomes)
            raise (DoubtError if doubt else StoppedError)(f"The run had to stop. {error}") from error
        check_equations(self.record, outcomes)
        waits = any(document.waits for document in documents)
        code = exit_code(outcomes, stopped=bool(stopped), in_doubt=waits)
        record = replace(self.record, finished_at=self.now(), exit_code=code, stopped=stopped)
        self.journal.finish_run(record)
        return record, outcomes

    def _send_all(self, documents: Sequence[Document], outcomes: list[Outcome]) -> str:
        same, last = 0, ""
        for position, document in enumerate(documents):
            if document.status is not None:
                continue
            if self.stop.is_set():
                return "Stopped by hand."
            verdict = self._send_until_taken(document, position, outcomes)
            outcome = outcomes[position]
            self.progress.settled(outcome)
            if verdict is None:
                continue
            if verdict.then is Then.STOP:
                return verdict.message
            rejected = grouping(verdict) if verdict.status is Status.REJECTED else ""
            same, last = (same + 1 if rejected and rejected == last else 1), rejected
            if rejected and same >= SAME_REJECTIONS:
                return f"The same rejection {same} times in a row: {verdict.message}"
        return "Stopped by hand." if self.stop.is_set() and _unsent(outcomes) else ""

    def _send_until_taken(self, document: Document, position: int, outcomes: list[Outcome]) -> Verdict | None:
        """Send a document when its turn comes; again, with a claim of its own, where it was not processed."""
        while True:
            if not self.session.turn():
                return Verdict(status=Status.NOT_SENT, message="Stopped by hand.", then=Then.STOP)
            verdict = self._send_one(document, position, outcomes)
            if verdict is None or verdict.then is not Then.AGAIN:
                return verdict
            # the claim is settled by now, so that a kill during the wait leaves nothing in doubt
            if self.session.wait(verdict.wait_s):
                return replace(verdict, then=Then.STOP, message="Stopped by hand.")

    def _send_one(self, document: Document, position: int, outcomes: list[Outcome]) -> Verdict | None:
        """Claim, send and settle one document into its outcome; no verdict where another run has it."""
        outcome, claimed_at = outcomes[position], self.now()
        in_flight = replace(
            outcome, status=Status.UNKNOWN, message=f"{_IN_FLIGHT} {settling(document.key)}", sent_at=claimed_at
        )
        try:
            attempt = self.journal.claim(
                self.record, document, in_flight, claimed_at, self.session.server_now().isoformat()
            )
        except AlreadyClaimed as error:
            outcomes[position] = self._taken(outcome, document, error.attempt)
            return None
        outcomes[position] = in_flight
        try:
            self.flight.going = True
            verdict = self._exchange(document)
            self.flight.going = False
        except KeyboardInterrupt:
            self.flight.going = False
            self.stop.set()
            verdict = Verdict(status=Status.UNKNOWN, message=_IN_FLIGHT, then=Then.STOP)
        settled = replace(
            outcome,
            status=verdict.status,
            number=verdict.number,
            http_status=verdict.http_status,
            message=self._message(document, verdict),
            sent_at=None if verdict.status is Status.NOT_SENT else claimed_at,
        )
        self.journal.settle(self.record, attempt, settled, self.now(), verdict.evidence)
        outcomes[position] = settled
        return verdict

    def _message(self, document: Document, verdict: Verdict) -> str:
        if verdict.status is Status.UNKNOWN:
            return f"{verdict.message} {settling(document.key)}"
        return self.explain(verdict.message) if verdict.status in _EXPLAINED else verdict.message

    def _exchange(self, document: Document) -> Verdict:
        path = path_for(self.path, document.key or "")
        headers = {"If-Match": f'"{document.etag}"'} if document.etag else {}
        result = self.session.write(self.endpoint.method, path, document.body, headers)
        if self.endpoint.kind == "create":
            verdict = judge_create(result, asked_number=document.number)
            verdict = confirm(self.session, self.endpoint, document, verdict, self.taken)
            if verdict.status is Status.ACCEPTED and verdict.number:
                self.taken[verdict.number] = document.key or ""
            return verdict
        if self.endpoint.kind == "update":
            return judge_update(result, number=document.key)
        verdict = judge_action(result, number=document.key)
        if self.endpoint.proof and (verdict.queued or verdict.status is Status.ACCEPTED):
            return prove(self.session, self.endpoint, verdict, document.key or "")
        return verdict

    def _taken(self, outcome: Outcome, document: Document, attempt: Attempt) -> Outcome:
        """Return the outcome of a document that another run claimed since the plan was made."""
        if attempt.state == "accepted":
            same = attempt.fingerprint == document.fingerprint
            text = "nothing was sent." if same else f"with other content; nothing was sent. {decision(document.key)}"
            status = Status.ALREADY_ACCEPTED if same else Status.CHANGED
            taken = replace(
                outcome,
                status=status,
                number=attempt.number,
                message=f"Run {attempt.run_id} had it accepted meanwhile, {text}",
            )
        else:
            message = (
                f"Run {attempt.run_id} is sending it, or ended in doubt over it; this run sent nothing. Run again."
            )
            taken = replace(outcome, status=Status.UNKNOWN, message=message)
        self.journal.note(self.record, taken)
        return taken


def _unsent(outcomes: Sequence[Outcome]) -> bool:
    return any(outcome.status is Status.NOT_SENT for outcome in outcomes)


def check_equations(record: RunRecord, outcomes: Sequence[Outcome]) -> None:
    """Prove that every row read stands in exactly one outcome.

    Raises: ProgramError naming the rows that do not.
    """
    times = Counter(row for outcome in outcomes for row in outcome.rows)
    twice = [row for row, count in times.items() if count > 1]
    if twice or len(times) != record.rows_read:
        raise ProgramError(
            f"The rows do not add up: {record.rows_read} read, {len(times)} reported, twice: {twice[:10]}. Everything "
            "sent is in the journal. Please report this."
        )


def exit_code(outcomes: Sequence[Outcome], *, stopped: bool, in_doubt: bool = False) -> int:
    """Return the exit code of a run: 5 (`in_doubt`: one waits for a doubtful one) before 6 before 4 before 0."""
    found = {outcome.status for outcome in outcomes}
    if Status.UNKNOWN in found or in_doubt:
        return 5
    if stopped or Status.NOT_SENT in found:
        return 6
    return 4 if found & {Status.INVALID, Status.REJECTED, Status.CHANGED} else 0
