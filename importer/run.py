"""Carry a plan out: several documents at a time, each once, until all are settled or something ends the run early."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol

from importer.allowance import Allowed, allowed_in, fails
from importer.api.verdict import Then, Verdict, grouping
from importer.errors import DoubtError, ImportFailed, JournalError, ProgramError, StoppedError, TargetError
from importer.expect import can_be_searched
from importer.lanes import Lanes
from importer.lookup import probe
from importer.model import Document, Outcome, RunRecord, Status
from importer.report.words import WAITING
from importer.send import HELD, Sender, Unsettled
from importer.slots import Slots
from importer.stop import BY_HAND, Stop
from importer.stop_rules import DOUBTS, Rejections, StopRules

#: Seconds that documents in flight get to come to an end when they are given up.
_LAST_S: Final = 1.0
_LOOK_S: Final = 0.1


class Progress(Protocol):
    """Take what a run tells while it goes on."""

    def settled(self, outcome: Outcome) -> None:
        """Note that a document has its outcome."""


@dataclass
class _Told:
    """Hold what the workers tell the thread that waits for them."""

    #: how many of them are at work
    workers: int
    outcomes: deque[Outcome] = field(default_factory=deque)
    failures: list[BaseException] = field(default_factory=list)
    #: set when the last one has left
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: Any = field(default_factory=threading.Lock)

    def leave(self) -> None:
        """Note that a worker has ended."""
        with self._lock:
            self.workers -= 1
            if not self.workers:
                self.ended.set()


@dataclass
class _Shift:
    """Hold what the workers work on together."""

    documents: Sequence[Document]
    lanes: Lanes
    rejections: Rejections
    slots: Slots
    told: _Told

    def next(self, unsettled: Unsettled | None, *, spare: bool) -> int | None:
        """Return the next position to send; before it has to be waited for, what is unsettled is settled.

        A `spare` worker waits until one more claim counts.
        """
        if unsettled is None:
            return self.lanes.take()
        if spare and not self.slots.want_more(unsettled.finish):
            return None
        position = self.lanes.take(wait=False)
        if position is None:
            unsettled.finish()
            position = self.lanes.take()
        return position


def _nothing() -> None:
    """Do nothing."""


def first_outcomes(documents: Sequence[Document], *, key_in_path: bool = False) -> list[Outcome]:
    """Return the outcome of each document before anything is sent: what will be sent is `not_sent` so far.

    The number of what is changed or done something with is known: it is the one in the path.
    """

    def number(document: Document) -> str | None:
        if document.status in {Status.INVALID, Status.FILTERED}:
            return document.number
        in_path = document.known_as if key_in_path else document.path_number
        return (document.number if document.status else None) or in_path

    return [
        Outcome(
            position=position,
            key=document.key,
            status=document.status or Status.NOT_SENT,
            rows=document.rows,
            number=number(document),
            message=document.message if document.status else WAITING,
            problems=document.problems,
            fingerprint=document.fingerprint,
        )
        for position, document in enumerate(documents)
    ]


@dataclass
class Flight:
    """Say whether requests are on their way, so that they may be given up."""

    going: bool = False


@dataclass
class Run:
    """Send the documents of one plan."""

    sender: Sender
    progress: Progress
    #: set from outside, or here by a rule, to end the run after the documents in flight
    stop: Stop
    rules: StopRules = field(default_factory=StopRules)
    workers: int = 1
    flight: Flight = field(default_factory=Flight)
    #: looks up at the end what is in doubt
    look_up: Callable[[Sequence[Document], list[Outcome]], None] = lambda _documents, _outcomes: None
    _why: str = ""
    _doubts: int = 0
    _lock: Any = field(default_factory=threading.Lock)
    _gate: Any = field(default_factory=threading.Lock)
    _slots: Slots = field(init=False)

    def execute(self, documents: Sequence[Document]) -> tuple[RunRecord, list[Outcome]]:
        """Send every document that has no status yet; return how the run and each document ended.

        Raises: JournalError when the run cannot be written down, so that nothing was sent; StoppedError or DoubtError
        when the journal can no longer be written on the way.
        """
        journal, record, outcomes = self.sender.journal, self.sender.record, self.sender.outcomes
        with journal.alive(record.run_id):
            journal.start_run(record, outcomes)
            try:
                return self._carry_out(documents, record), outcomes
            except JournalError as error:
                doubt = any(outcome.status is Status.UNKNOWN for outcome in outcomes)
                raise (DoubtError if doubt else StoppedError)(f"The run had to stop. {error}") from error

    def _carry_out(self, documents: Sequence[Document], record: RunRecord) -> RunRecord:
        """Send, look up what is in doubt, and write down how the run ended."""
        outcomes = self.sender.outcomes
        self._send_all(documents)
        given_up = self._by_hand() and _left(outcomes)
        if not given_up:
            self.look_up(documents, outcomes)
        check_equations(record, outcomes)
        waits = any(document.waits for document in documents)
        blocked = frozenset(position for position, document in enumerate(documents) if document.blocked)
        stopped = self._why or (BY_HAND if given_up else "")
        code = exit_code(outcomes, stopped=bool(stopped), in_doubt=waits, blocked=blocked, allowed=allowed_in(record))
        record = replace(record, finished_at=self.sender.now(), exit_code=code, stopped=stopped)
        self.sender.journal.finish_run(record)
        return record

    def _by_hand(self) -> bool:
        return self.stop.is_set() and not self._why

    def _send_all(self, documents: Sequence[Document]) -> None:
        """Let the workers send; tell of what they settle meanwhile."""
        positions = (position for position, document in enumerate(documents) if document.status is None)
        ahead = self.workers > 1 and _can_be_searched(documents)
        self._slots = slots = Slots(self.workers, self._may_go, ahead=ahead)
        told = _Told(self.workers + slots.spare)
        shift = _Shift(documents, Lanes(documents), Rejections(positions), slots, told)
        crew = [
            threading.Thread(target=self._work, args=(shift, place), daemon=True, name=f"worker {place}")
            for place in range(told.workers)
        ]
        try:
            self.flight.going = True
            self.sender.heed = partial(self._heed, shift.rejections)
            if self.workers > 1:
                self.sender.slot = slots.hold
            for thread in crew:
                thread.start()
            self._listen(told)
            self.flight.going = False
        except KeyboardInterrupt:
            self.flight.going = False
            self.stop.set()
            shift.lanes.close()
            self.sender.give_up()
            # who waits with a claim takes it back
            shift.slots.close()
            for thread in filter(threading.Thread.is_alive, crew):
                thread.join(_LAST_S / len(crew))
            return
        if told.failures:
            # what ended all of them, rather than what followed from it
            ours = (error for error in told.failures if isinstance(error, ImportFailed))
            raise next(ours, told.failures[0])

    def _work(self, shift: _Shift, place: int) -> None:
        """Send document after document until there is none left; those beyond the workers are spare."""
        # one by one, each commit is of one document
        unsettled = Unsettled(shift.told.outcomes.append) if self.workers > 1 else None
        try:
            while (position := shift.next(unsettled, spare=place >= self.workers)) is not None:
                before = self.sender.outcomes[position]
                try:
                    verdict = self._settle(shift.documents[position], position, unsettled)
                finally:
                    shift.lanes.done(position)
                left = unsettled is not None and verdict is not None and verdict.status is Status.ACCEPTED
                if not left and self.sender.outcomes[position] is not before:
                    shift.told.outcomes.append(self.sender.outcomes[position])
                if self.stop.is_set():
                    shift.lanes.close()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._end("The program failed.")
            shift.lanes.close()
            shift.told.failures.append(error)
            # what was accepted before is known all the same
            with suppress(ImportFailed):
                (unsettled or Unsettled(shift.told.outcomes.append)).finish()
        shift.slots.close()
        shift.told.leave()

    def _listen(self, told: "_Told") -> None:
        """Tell what the workers settle until the last has ended."""
        ended = False
        while not ended:
            # not for ever: a wait without an end would not see Ctrl-C everywhere
            ended = told.ended.wait(_LOOK_S)
            while told.outcomes:
                self.progress.settled(told.outcomes.popleft())

    def _settle(self, document: Document, position: int, unsettled: Unsettled | None) -> Verdict | None:
        """Send one document, unless the run ends before."""
        if self.stop.is_set() or not self._answers(unsettled):
            return None
        return self._send_until_taken(document, position, unsettled)

    def _heed(self, rejections: Rejections, position: int, verdict: Verdict) -> None:
        """Take from what a document was answered whether others wait for it, or the run ends."""
        if verdict.then is Then.AGAIN:
            self.sender.session.pace.pause(verdict.wait_s)
            return
        with self._lock:
            self._doubts = self._doubts + 1 if verdict.status is Status.UNKNOWN else 0
        if verdict.then is Then.STOP:
            self._end(verdict.message)
        count = rejections.note(position, grouping(verdict) if verdict.status is Status.REJECTED else "")
        if count >= self.rules.same_rejections:
            self._end(f"The same rejection {count} times in a row: {verdict.message}")

    def _send_until_taken(self, document: Document, position: int, unsettled: Unsettled | None) -> Verdict | None:
        """Send a document when its turn comes; again, with a claim of its own, where it was not processed."""
        session, tries = self.sender.session, 0
        before_waiting = unsettled.finish if unsettled else _nothing
        while session.turn(before_waiting) and not self.stop.is_set():
            verdict = self.sender.send(document, position, unsettled)
            if verdict is None or verdict.then is not Then.AGAIN:
                return verdict
            if verdict is HELD:
                self._slots.await_one(self.stop.is_set)
                if not self._answers(unsettled):
                    return None
                continue
            tries = tries + 1 if verdict.unreachable else 0
            if tries >= self.rules.unreachable:
                self._end(verdict.message)
                return replace(verdict, then=Then.STOP)
            # the claim is settled by now, so that a kill during the wait leaves nothing in doubt; all wait, for what
            # turned this one away would turn the others away too
            if tries:
                session.pace.pause(self.rules.wait_s(tries), by_limit=False)
        return None

    def _may_go(self) -> bool:
        """Tell whether nothing came up, since a document's turn came, that it must wait for."""
        return not self.stop.is_set() and self._doubts < DOUBTS and not self.sender.session.pace.is_paused

    def _answers(self, unsettled: Unsettled | None) -> bool:
        """Tell whether another document may go; after several doubtful ends only if the API can be read."""
        if self._doubts < DOUBTS:
            return True
        if unsettled is not None:
            unsettled.finish()
        with self._gate:
            if self._doubts < DOUBTS:
                return True
            try:
                probe(self.sender.session, self.sender.endpoint)
            except TargetError as error:
                self._end(f"{self._doubts} documents in a row ended in doubt, and then: {error}")
                return False
            self._doubts = 0
            return True

    def _end(self, why: str) -> None:
        """End the run after the documents in flight; the first reason counts."""
        with self._lock:
            if not self.stop.is_set():
                self._why = why
                self.stop.set()


def _can_be_searched(documents: Sequence[Document]) -> bool:
    return all(can_be_searched(document.expect) for document in documents if document.status is None)


def _left(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether anything is left to do."""
    return any(outcome.status in {Status.NOT_SENT, Status.UNKNOWN} for outcome in outcomes)


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


def exit_code(
    outcomes: Sequence[Outcome],
    *,
    stopped: bool,
    in_doubt: bool = False,
    blocked: Set[int] = frozenset(),
    allowed: Allowed | None = None,
) -> int:
    """Return the exit code of a run: 5 (`in_doubt`: one waits for a doubtful one) before 6 before 4 before 0.

    `blocked` are positions of documents that wait for one which they refer to: running again changes nothing.
    `allowed` is how many documents of a status may be left and the run be green all the same.
    """
    found = Counter(outcome.status for outcome in outcomes if outcome.position not in blocked)
    if Status.UNKNOWN in found or in_doubt:
        return 5
    if stopped or Status.NOT_SENT in found:
        return 6
    return 4 if blocked or fails(found, allowed or {}) else 0
