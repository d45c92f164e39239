"""Carry a run out from the command line: connection, journal, progress, signals, report."""

import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from importer.causes import explain_verdict, group
from importer.cli import listing, screen
from importer.cli.connection import Connection, connected, resolver_for
from importer.cli.inputs import Input
from importer.cli.interrupts import watching
from importer.cli.reporting import Options, conclude, new_record, rebuild_report
from importer.decide import Clock, Known, decide
from importer.doubts import Doubts
from importer.errors import ImportFailed, JournalError, StartError
from importer.forecast import OWN, net_amounts
from importer.journal import Journal
from importer.lookup import prepare, probe
from importer.model import Document, Outcome, RunRecord, Status
from importer.preflight import look_before
from importer.project import Project
from importer.report.words import NOTICE
from importer.run import Flight, Run, check_equations, first_outcomes, known
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


@dataclass(frozen=True, slots=True)
class Errand:
    """Hold what a run was told: what to send, where, how, and where to write it down."""

    given: Input
    project: Project
    chosen: str | Target
    journal: Journal
    report_folder: Path | None
    options: Options
    manner: Manner


def send(errand: Errand) -> int:
    """Send the documents of a plan to a target, report, and return the exit code."""
    stop, flight = Stop(), Flight()
    with watching(stop, lambda: flight.going):
        record, outcomes = _send(errand, stop, flight)
        given = errand.given
        folder, notes = _report(errand, record)
        groups = group(outcomes, given.causes, record.endpoint, given.language)
        conclude(record, outcomes, folder, notes, errand.options, groups)
    return record.exit_code or 0


def _report(errand: Errand, record: RunRecord) -> tuple[Path | None, list[str]]:
    """Write the report of a run that is over; what keeps it from being written changes nothing in how the run ended."""
    try:
        return rebuild_report(errand.journal, record.run_id, errand.project, errand.report_folder)
    except JournalError as error:
        return None, [f"The report could not be written. {error} Then say visma-import report {record.run_id}"]


def _send(errand: Errand, stop: Stop, flight: Flight) -> tuple[RunRecord, list[Outcome]]:
    given, options, manner = errand.given, errand.options, errand.manner
    progress = screen.RunProgress(quiet=options.quiet)
    with connected(errand.chosen, errand.project, progress, stop, manner.rehearse) as connection:
        target = connection.target
        record = new_record(given, run_id=secrets.token_hex(4), target=target.name, company=target.company)
        doubts = _doubts(errand, connection)
        past, documents = _decided(errand, connection, doubts)
        check_equations(record, first_outcomes(documents))
        if not options.quiet:
            _announce(screen.console(error=options.json), given, target, documents)
        _confirm(target, _what(given, documents), yes=manner.yes or not _to_send(documents))
        doubts.adopt(documents)
        progress.total = _to_send(documents)
        job = Run(
            _sender(errand, connection, record, first_outcomes(documents), past),
            progress,
            stop,
            rules=manner.rules,
            workers=max(min(manner.workers, progress.total), 1),
            flight=flight,
            look_up=lambda documents, outcomes: doubts.settle(record, documents, outcomes),
        )
        try:
            with progress:
                return job.execute(documents)
        except ImportFailed:
            with suppress(ImportFailed):
                rebuild_report(errand.journal, record.run_id, errand.project, errand.report_folder)
            raise


def _doubts(errand: Errand, connection: Connection) -> Doubts:
    resolver = resolver_for(connection, errand.manner.settle_after_s)
    endpoint = errand.given.mapping.endpoint
    return Doubts(errand.journal, resolver, endpoint, connection.target.company, now_utc)


def _sender(errand: Errand, connection: Connection, record: RunRecord, outcomes: list[Outcome], past: Known) -> Sender:
    endpoint = errand.given.mapping.endpoint
    return Sender(
        record,
        endpoint,
        endpoint.path[errand.given.mapping.api],
        errand.journal,
        connection.session,
        outcomes,
        explain=_explainer(errand.given),
        taken={found.number: found.key for found in past.accepted.values() if found.number},
        once_doubtful={identity: once.attempt_id for identity, once in past.once_doubtful.items()},
    )


def _decided(errand: Errand, connection: Connection, doubts: Doubts) -> tuple[Known, tuple[Document, ...]]:
    """Return what is known, and the documents, those that are not to be sent having a status.

    Raises: TargetError when the API cannot be read, so that nothing may be written.
    """
    given, (target, session) = errand.given, connection
    endpoint = given.mapping.endpoint

    def decided() -> tuple[Known, tuple[Document, ...]]:
        past = known(errand.journal, target.company, endpoint.name)
        clock = Clock(session.server_now(), errand.manner.settle_after_s)
        return past, decide(given.plan.documents, past, kind=endpoint.kind, clock=clock)

    past, documents = decided()
    unsure = any(document.status is Status.UNKNOWN or document.waits for document in documents)
    if unsure or (not target.simulated and _to_send(documents)):
        # it tells the server's time, too, by which doubts grow old
        probe(session, endpoint)
    if unsure:
        doubts.settle_earlier(given.plan.documents)
        past, documents = decided()
    found = look_before(session, endpoint, prepare(session, given.mapping, documents), past)
    if any(new.status is Status.CHANGED and old.status is None for old, new in zip(documents, found, strict=True)):
        # another machine on this journal may have had them accepted between our looking into it and into the API
        past, later = decided()
        pairs = zip(found, later, strict=True)
        found = tuple(b if a.status is Status.CHANGED and b.status is not None else a for a, b in pairs)
    return past, found


def _explainer(given: Input) -> Callable[[str], str]:
    """Return what puts cause and advice into a verdict's message, in the language of the mapping."""
    endpoint, language = given.mapping.endpoint.name, given.language
    return lambda message: explain_verdict(given.causes, message, endpoint, language)


def _confirm(target: Target, what: str, *, yes: bool) -> None:
    """Ask before anything is sent to a real company; `what` says how many documents and how much they add up to.

    Raises: StartError when nobody can be asked or the answer is no.
    """
    if target.simulated or yes:
        return
    if not sys.stdin.isatty():
        raise StartError(f"Nobody can be asked here whether to send to {target.name!r}. Say --yes. Nothing was sent.")
    if target.production:
        typed = click.prompt(f"This is PRODUCTION: {what}. Type the target's name to send", err=True)
        agreed = typed.strip() == target.name
    else:
        agreed = click.confirm(f"Send {what} to {target.name}?", err=True)
    if not agreed:
        raise StartError("Nothing was sent.")


def _announce(out: Any, given: Input, target: Target, documents: Sequence[Document]) -> None:
    out.print(NOTICE if target.simulated else f"Target {target.name} ({target.base_url})", markup=False)
    name, sheet = given.workbook.name, given.plan.sheet
    left = {status: sum(document.status is status for document in documents) for status in Status}
    others = "".join(f", {count:,} {status.value.replace('_', ' ')}" for status, count in left.items() if count)
    out.print(f"{name}, sheet {sheet.name}: {given.plan.rows_read:,} rows, {len(documents):,} documents.", markup=False)
    out.print(f"To send: {_what(given, documents)}{others}.", markup=False)
    screen.totals(out, given.plan.totals)
    listing.warnings(out, given.plan)


def _what(given: Input, documents: Sequence[Document]) -> str:
    """Say how many documents would be sent, and how much they add up to by currency."""
    count = screen.counted(_to_send(documents), "document")
    found = [(one.bodies, one.currency or OWN) for one in net_amounts(given.mapping, documents) if one.bodies]
    decimals = screen.decimals_of(amount for amount, _ in found)
    sums = [f"{amount:,.{decimals}f} {currency}" for amount, currency in found]
    return f"{count} ({', '.join(sums)} net)" if sums else count


def _to_send(documents: Sequence[Document]) -> int:
    return sum(document.status is None for document in documents)
