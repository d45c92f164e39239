"""Carry a run out from the command line: connection, journal, progress, signals, report."""

import secrets
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from importer.allowance import Allowed, dump
from importer.causes import explain_verdict
from importer.cli import listing, screen
from importer.cli.connection import Connection, decider_for, resolver_for
from importer.cli.inputs import Input, Options
from importer.cli.reporting import new_record, rebuild_report
from importer.cli.task import Step, Task
from importer.decide import Known
from importer.doubts import Doubts
from importer.errors import ImportFailed, JournalError, StartError
from importer.forecast import OWN, net_amounts
from importer.journal import Journal
from importer.lookup import probe
from importer.mapping import Mapping
from importer.memory import once_doubtful
from importer.model import Document, Outcome, RunRecord, Status
from importer.report.words import NOTICE
from importer.run import Flight, Run, check_equations, first_outcomes
from importer.saved_plan import Planned, SavedPlan
from importer.send import Sender, now_utc
from importer.stop import Stop
from importer.stop_rules import StopRules
from importer.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """Hold how a run goes about it."""

    workers: int
    settle_after_s: float
    rules: StopRules
    #: faults of the embedded sandbox
    rehearse: tuple[str, ...] = ()
    #: ask nothing
    yes: bool = False
    #: send the good documents although others are invalid
    skip_invalid: bool = False
    #: how many documents of a status may be left and the run be green
    allowed: Allowed = field(default_factory=dict)
    #: the service that gets annotations; None for the one that runs this job
    annotations: str | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """Hold what a run was told: what to send, where, how, and where to write it down."""

    task: Task
    chosen: str | Target
    journal: Journal
    report_folder: Path | None
    options: Options
    manner: Manner
    #: the saved plan that is carried out, and nothing else
    plan: SavedPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Hold one step of a run on its way: what is sent, and by which connection."""

    errand: Errand
    step: Step
    connection: Connection
    stop: Stop
    flight: Flight
    progress: screen.RunProgress
    #: the folder of its report; None for one named after the run
    report_folder: Path | None = None
    #: what the journal keeps of a run that is part of something: plan_id, sequence_id, step
    belongs: dict[str, Any] = field(default_factory=dict)
    #: what a saved plan sends, by position; None for all
    planned: dict[int, Planned] | None = None

    @property
    def given(self) -> Input:
        """Return the mapping with its workbook."""
        return self.step.given

    @property
    def target(self) -> Target:
        """Return where it is sent."""
        return self.connection.target


def send_step(passage: Passage, *, ask: bool) -> tuple[RunRecord, list[Outcome]]:
    """Send the documents of one step, and return how the run and each document ended; `ask` before anything is sent.

    Raises: StartError when nothing was sent; StoppedError or DoubtError when the journal failed on the way.
    """
    given, errand, target = passage.given, passage.errand, passage.target
    options, manner, progress = errand.options, errand.manner, passage.progress
    own = {"run_id": secrets.token_hex(4), "target": target.name, "company": target.company}
    record = new_record(given, **own, allowed=dump(manner.allowed))
    record = replace(record, **passage.belongs)
    doubts = _doubts(passage)
    past, documents = _decided(passage, doubts)
    if given.plan.taken_up and to_send(documents):
        # accepted a moment ago, and not any more: nothing is at hand to be sent
        raise StartError("The journal was changed by somebody else meanwhile. Nothing was sent. Run again.")
    if passage.planned is not None:
        documents = only_planned(documents, passage.planned)
    outcomes = first_outcomes(documents, key_in_path=given.mapping.endpoint.key_in_path)
    check_equations(record, outcomes)
    if not options.quiet:
        _announce(screen.console(error=options.json), given, target, documents)
    if ask:
        confirm(target, lambda: what(given.mapping, documents), yes=manner.yes or not to_send(documents))
    doubts.adopt(documents)
    progress.begin(to_send(documents))
    job = Run(
        _sender(passage, record, outcomes, past),
        progress,
        passage.stop,
        rules=passage.step.rules(manner.rules),
        workers=max(min(manner.workers, progress.total), 1),
        flight=passage.flight,
        look_up=lambda documents, outcomes: doubts.settle(record, documents, outcomes),
    )
    try:
        with progress:
            return job.execute(documents)
    except ImportFailed:
        with suppress(ImportFailed):
            rebuild_report(errand.journal, record.run_id, errand.task.project, passage.report_folder)
        raise


def report_step(passage: Passage, record: RunRecord, outcomes: Sequence[Outcome]) -> tuple[Path | None, list[str]]:
    """Write the report of a run that is over; what keeps it from being written changes nothing in how the run ended."""
    errand = passage.errand
    # of what was sent the journal has the last word
    at_hand = None if record.stopped or any(outcome.sent_at for outcome in outcomes) else outcomes
    folder, own = passage.report_folder, passage.given.workbook
    try:
        return rebuild_report(errand.journal, record.run_id, errand.task.project, folder, at_hand, own)
    except JournalError as error:
        return None, [f"The report could not be written. {error} Then say visma-import report {record.run_id}"]


def only_planned(documents: Sequence[Document], planned: dict[int, Planned]) -> tuple[Document, ...]:
    """Send nothing but what the saved plan sends, whatever became possible since."""

    def held(position: int, document: Document) -> Document:
        if document.status is not None:
            return document
        told = "The saved plan does not send it. Make a new plan."
        if position in planned:
            if planned[position].is_what_is_sent(document):
                return document
            told = "What would be sent is no longer what the saved plan holds. Make a new plan."
        return replace(document, status=Status.NOT_SENT, message=told)

    return tuple(held(position, document) for position, document in enumerate(documents))


def _doubts(passage: Passage) -> Doubts:
    errand, endpoint = passage.errand, passage.given.mapping.endpoint
    resolver = resolver_for(passage.connection, errand.manner.settle_after_s)
    return Doubts(errand.journal, resolver, endpoint, passage.target.company, now_utc)


def _sender(passage: Passage, record: RunRecord, outcomes: list[Outcome], past: Known) -> Sender:
    mapping = passage.given.mapping
    return Sender(
        record,
        mapping.endpoint,
        mapping.api,
        passage.errand.journal,
        passage.connection.session,
        outcomes,
        explain=_explainer(passage.given),
        taken={found.number: found.key for found in past.accepted.values() if found.number},
        once_doubtful=once_doubtful(past, mapping.endpoint),
    )


def _decided(passage: Passage, doubts: Doubts) -> tuple[Known, tuple[Document, ...]]:
    """Return what is known, and the documents, those that are not to be sent having a status.

    Raises: TargetError when the API cannot be read, so that nothing may be written.
    """
    given, errand, (target, session) = passage.given, passage.errand, passage.connection
    planned = given.plan.documents
    decider = decider_for(given, passage.connection, errand.journal, errand.manner.settle_after_s)
    past, documents = decider.by_journal(planned)
    unsure = any(document.status is Status.UNKNOWN or document.waits for document in documents)
    unverified = doubts.unverified(documents)
    if unsure or unverified or (not target.simulated and to_send(documents)):
        # it tells the server's time, too, by which doubts grow old
        probe(session, given.mapping.endpoint)
    misnamed = bool(unverified) and doubts.verify_earlier(unverified)
    if unsure:
        doubts.settle_earlier(documents)
    if unsure or misnamed:
        past, documents = decider.by_journal(planned)
    found = decider.by_api(documents, past)
    waits = any(new.waits and not old.waits for old, new in zip(documents, found, strict=True))
    if waits and doubts.settle_earlier(found):
        # of changes it is the API that tells what they are of, and so which earlier ones are in doubt
        past, documents = decider.by_journal(planned)
        found = decider.by_api(documents, past)
    if any(new.status is Status.CHANGED and old.status is None for old, new in zip(documents, found, strict=True)):
        # another machine on this journal may have had them accepted between our looking into it and into the API
        past, later = decider.by_journal(planned)
        pairs = zip(found, later, strict=True)
        found = tuple(b if a.status is Status.CHANGED and b.status is not None else a for a, b in pairs)
    return past, found


def _explainer(given: Input) -> Callable[[str], str]:
    """Return what puts cause and advice into a verdict's message, in the language of the mapping."""
    endpoint, language = given.mapping.endpoint.name, given.language
    return lambda message: explain_verdict(given.causes, message, endpoint, language)


def confirm(target: Target, says: Callable[[], str], *, yes: bool) -> None:
    """Ask before anything is sent to a real company; `says` tells how many documents and how much they add up to.

    Raises: StartError when nobody can be asked or the answer is no.
    """
    if target.simulated or yes:
        return
    if not sys.stdin.isatty():
        raise StartError(f"Nobody can be asked here whether to send to {target.name!r}. Say --yes. Nothing was sent.")
    if target.production:
        typed = click.prompt(f"This is PRODUCTION: {says()}. Type the target's name to send", err=True)
        agreed = typed.strip() == target.name
    else:
        agreed = click.confirm(f"Send {says()} to {target.name}?", err=True)
    if not agreed:
        raise StartError("Nothing was sent.")


def _announce(out: Any, given: Input, target: Target, documents: Sequence[Document]) -> None:
    out.print(NOTICE if target.simulated else f"Target {target.name} ({target.base_url})", markup=False)
    name, sheet = given.workbook.name, given.plan.sheet
    left = Counter(document.status for document in documents)
    others = "".join(f", {left[status]:,} {status.value.replace('_', ' ')}" for status in Status if left[status])
    rows, every = screen.counted(given.plan.rows_read, "row"), screen.counted(len(documents), "document")
    out.print(f"{name}, sheet {sheet.name}: {rows}, {every}.", markup=False)
    out.print(f"To send: {what(given.mapping, documents)}{others}.", markup=False)
    screen.totals(out, given.plan.totals)
    listing.warnings(out, given.plan)


def what(mapping: Mapping, documents: Sequence[Document]) -> str:
    """Say how many documents would be sent, and how much they add up to by currency."""
    count = screen.counted(to_send(documents), "document")
    amounts = list(net_amounts(mapping, documents))
    found = [(one.bodies, one.currency or OWN) for one in amounts if one.bodies]
    decimals = screen.decimals_of(amount for amount, _ in found)
    sums = ", ".join(f"{amount:,.{decimals}f} {currency}" for amount, currency in found)
    told = [f"{sums} net"] if sums else []
    told += [one.lack for one in amounts if one.lack]
    return f"{count} ({', '.join(told)})" if told else count


def to_send(documents: Sequence[Document]) -> int:
    """Count the documents that go out."""
    return sum(document.status is None for document in documents)
