"""Carry a task out: one mapping, or the steps of a migration one after the other, each a run of its own."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from importer.cli import job, screen
from importer.cli.applying import Applied, carried_out
from importer.cli.checking import refuse_to_start
from importer.cli.connection import Connection, connected, decider_for
from importer.cli.interrupts import watching
from importer.cli.recalling import keep_plan
from importer.cli.reporting import conclude, report_folder, show_end
from importer.cli.sending import Errand, Passage, confirm, report_step, send_step, to_send, what
from importer.cli.stream import printable
from importer.cli.task import Step, referred
from importer.cli.whole import rebuild_whole, show_whole, write
from importer.errors import ImportFailed, StartError
from importer.model import Document, Outcome, RunRecord, Status
from importer.report.sequence import Part, Whole
from importer.run import Flight
from importer.send import now_utc
from importer.stop import Stop

_FAILURES = frozenset({Status.REJECTED, Status.CHANGED, Status.INVALID})


def send(errand: Errand) -> int:
    """Send the documents of a task, report, and return the exit code."""
    stop, flight = Stop(), Flight()
    progress = screen.RunProgress(quiet=errand.options.quiet)
    with watching(stop, lambda: flight.going):
        if errand.task.migration is not None:
            return _Sequence(errand, stop, flight, progress).send()
        with (
            _connected(errand, progress, stop) as connection,
            _applied(errand, connection) as applied,
        ):
            passage = Passage(
                errand=errand,
                step=errand.task.steps[0],
                connection=connection,
                stop=stop,
                flight=flight,
                progress=progress,
                report_folder=errand.report_folder,
                belongs={"plan_id": applied.plan_id} if applied else {},
                planned=applied.sends[0] if applied else None,
            )
            record, outcomes = send_step(passage, ask=True)
        folder, notes = report_step(passage, record, outcomes)
        given = passage.given
        conclude(record, outcomes, folder, notes, errand.options, given)
        job.ended(given, record, outcomes, folder, errand.manner.annotations)
        keep_plan(given, outcomes, errand.task.project)
    return record.exit_code or 0


def _connected(errand: Errand, progress: screen.RunProgress, stop: Stop) -> Any:
    return connected(errand.chosen, errand.task.project, progress, stop, errand.manner.rehearse)


@contextmanager
def _applied(errand: Errand, connection: Connection) -> Iterator[Applied | None]:
    """Take a saved plan, if it is one, so that nobody else carries it out."""
    if errand.plan is None:
        yield None
        return
    with carried_out(errand.plan, errand.task, connection, errand.journal, errand.manner) as applied:
        yield applied


@dataclass
class _Sequence:
    """Send the steps of a migration."""

    errand: Errand
    stop: Stop
    flight: Flight
    progress: screen.RunProgress
    sequence_id: str = field(default_factory=lambda: secrets.token_hex(4))
    started_at: str = field(default_factory=now_utc)
    parts: list[Part] = field(default_factory=list)
    #: why a further step did not begin
    why: str = ""
    applied: Applied | None = None

    def send(self) -> int:
        errand = self.errand
        with _connected(errand, self.progress, self.stop) as connection:
            task = referred(errand.task, errand.journal, connection.target.company)
            if task.held_back(skip_invalid=errand.manner.skip_invalid, allowed=errand.manner.allowed):
                return refuse_to_start(task, errand.options, errand.manner.allowed, errand.manner.annotations)
            with _applied(errand, connection) as self.applied:
                self._ask(task.steps, connection)
                try:
                    self._send_all(task.steps, connection)
                except ImportFailed:
                    # also of the step that failed, as far as the journal can still be read
                    with suppress(ImportFailed, OSError):
                        rebuild_whole(errand.journal, self.sequence_id, errand.task.project, self.folder)
                    raise
        return self._conclude()

    def _ask(self, steps: Sequence[Step], connection: Connection) -> None:
        """Ask once for all steps, by what the journal knows: what a step refers to counts as sent.

        Raises: StartError.
        """
        manner, target = self.errand.manner, connection.target
        if target.simulated or manner.yes:
            return
        told = []
        for number, step in enumerate(steps):
            decider = decider_for(step.given, connection, self.errand.journal, manner.settle_after_s, every=True)
            documents: Sequence[Document] = decider.by_journal(step.given.plan.documents)[1]
            if self.applied:
                documents = [documents[position] for position in self.applied.sends[number]]
            if to_send(documents):
                told.append(f"{step.name}: {what(step.given.mapping, documents)}")
        confirm(target, lambda: "; ".join(told), yes=not told)

    def _send_all(self, steps: Sequence[Step], connection: Connection) -> None:
        for number, step in enumerate(steps):
            if self._over(steps[number - 1] if number else None):
                return
            self._tell(number, step)
            passage = self._passage(number, step, connection)
            try:
                record, outcomes = send_step(passage, ask=False)
            except StartError as error:
                if not self.parts:
                    raise
                # documents of earlier steps are in Visma, so that this is no failure to start
                self.why = f"The step {step.name} could not begin. {error}"
                return
            self._keep(passage, record, outcomes)

    def _over(self, last: Step | None) -> bool:
        """Tell whether the next step must not begin, and keep the reason."""
        if last is None:
            return self.stop.is_set()
        part = self.parts[-1]
        failures = sum(outcome.status in _FAILURES for outcome in part.outcomes)
        if self.stop.is_set() or part.record.exit_code == 6:  # noqa: PLR2004 - stopped early
            self.why = f"The step {last.name} was stopped."
        elif last.failures is not None and failures > last.failures:
            self.why = (
                f"{screen.counted(failures, 'document')} of the step {last.name} failed, and it may have "
                f"{last.failures} at most."
            )
        return bool(self.why)

    def _tell(self, number: int, step: Step) -> None:
        if not self.errand.options.quiet:
            out = screen.console(error=self.errand.options.json)
            name = printable(step.name)
            out.rule(f"Step {number + 1} of {len(self.errand.task.steps)}: {name}", align="left")

    def _passage(self, number: int, step: Step, connection: Connection) -> Passage:
        task = self.errand.task
        return Passage(
            errand=self.errand,
            step=step,
            connection=connection,
            stop=self.stop,
            flight=self.flight,
            progress=self.progress,
            report_folder=task.folder_in(self.folder, number),
            belongs={
                # the report's folder is named after it, also when it is rebuilt
                **({} if number else {"started_at": self.started_at}),
                "sequence_id": self.sequence_id,
                "sequence_name": task.name,
                "steps": len(task.steps),
                "step": number + 1,
                "step_name": step.name,
                "plan_id": self.applied.plan_id if self.applied else None,
            },
            planned=self.applied.sends[number] if self.applied else None,
        )

    @property
    def folder(self) -> Path:
        """Return the folder of the report over all steps."""
        task = self.errand.task
        return self.errand.report_folder or report_folder(task.project, task.name, self.started_at, self.sequence_id)

    def _keep(self, passage: Passage, record: RunRecord, outcomes: list[Outcome]) -> None:
        self.parts.append(Part(record, tuple(outcomes)))
        folder, notes = report_step(passage, record, outcomes)
        given, options = passage.given, self.errand.options
        show_end(record, outcomes, folder, notes, options, given)
        job.ended(given, record, outcomes, folder, self.errand.manner.annotations)

    def _conclude(self) -> int:
        if not self.parts:
            raise StartError(self.why or "Stopped by hand; nothing was sent.")
        found = Whole(tuple(self.parts))
        folder, notes = write(self.folder, found)
        show_whole(found, folder, [*notes, *([f"Stopped early: {self.why}"] if self.why else [])], self.errand.options)
        return found.exit_code or 0
