"""Carry a run out from the command line: sandbox, journal, progress, signals, report."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import click

from importer.api.client import Client
from importer.api.pace import MILD_PER_S, Pace
from importer.api.session import Session
from importer.api.token import TokenSource
from importer.causes import Group, explain_verdict, group, load_causes, noun_of
from importer.cli import screen
from importer.cli.inputs import Input, print_json, text_of
from importer.cli.interrupts import watching
from importer.cli.rehearsal import settings
from importer.decide import decide
from importer.errors import ImportFailed, StartError
from importer.journal import Journal
from importer.lookup import prepare, probe
from importer.model import Document, Outcome, RunRecord, Status
from importer.preflight import look_before
from importer.project import Project
from importer.report import write_report
from importer.report.json_file import results
from importer.report.words import NOTICE, exit_meaning
from importer.run import Flight, Run, check_equations, first_outcomes, known, now_utc
from importer.sandbox import Sandbox
from importer.target import SANDBOX, Target, sandbox_target

#: Seconds to connect to the token address, and to wait for its answer.
TOKEN_TIMEOUT_S: Final = (10.0, 30.0)
_CHECKED: Final = "Ready. This was a check: nothing was sent."


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold the options that every command has."""

    json: bool
    quiet: bool
    #: ask nothing
    yes: bool = False
    #: faults of the embedded sandbox
    rehearse: tuple[str, ...] = ()


class Connection(NamedTuple):
    """Hold a target and the session with it."""

    target: Target
    session: Session


@contextmanager
def connected(
    chosen: str | Target, project: Project, progress: screen.RunProgress, stop: Event, faults: tuple[str, ...] = ()
) -> Iterator[Connection]:
    """Open a session with the target, starting the embedded sandbox where it is the target.

    Raises: TargetError when no token is given out.
    """

    def wait(seconds: float) -> bool:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            progress.waiting(left)
            if stop.wait(min(left, 1.0)):
                break
        progress.waiting(0.0)
        return stop.is_set()

    if isinstance(chosen, str):
        with Sandbox(project.sandbox, settings=settings(faults)) as box:
            client = Client(box.base_url)
            try:
                yield Connection(sandbox_target(box.base_url, box.company_id), Session(client, wait=wait))
            finally:
                client.close()
        return
    client = Client(chosen.base_url, ca_file=chosen.ca_file, proxy=chosen.proxy)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(chosen.token_url))
    token_client = Client(origin, timeout_s=TOKEN_TIMEOUT_S, ca_file=chosen.ca_file, proxy=chosen.proxy)
    try:
        tokens = TokenSource(chosen, token_client)
        tokens.token()
        pace = Pace(mild_per_s=0.0 if chosen.loopback else MILD_PER_S)
        yield Connection(chosen, Session(client, tokens, pace, wait))
    finally:
        client.close()
        token_client.close()


@dataclass(frozen=True, slots=True)
class Errand:
    """Hold what a run was told: what to send, where, and where to write it down."""

    given: Input
    project: Project
    chosen: str | Target
    journal: Journal
    report_folder: Path | None
    options: Options


def send(errand: Errand) -> int:
    """Send the documents of a plan to a target, report, and return the exit code."""
    stop, flight = Event(), Flight()
    with watching(stop, lambda: flight.going):
        record, outcomes = _send(errand, stop, flight)
        given, journal = errand.given, errand.journal
        folder, notes = rebuild_report(journal, record.run_id, errand.project, errand.report_folder)
        groups = group(outcomes, given.causes, record.endpoint, given.language)
        conclude(record, outcomes, folder, notes, errand.options, groups)
    return record.exit_code or 0


def _send(errand: Errand, stop: Event, flight: Flight) -> tuple[RunRecord, list[Outcome]]:
    given, journal, options = errand.given, errand.journal, errand.options
    endpoint = given.mapping.endpoint
    progress = screen.RunProgress(quiet=options.quiet)
    with connected(errand.chosen, errand.project, progress, stop, options.rehearse) as (target, session):
        record = new_record(given, run_id=secrets.token_hex(4), target=target.name, company=target.company)
        past = known(journal, record.company, endpoint.name)
        documents = decide(given.plan.documents, past, kind=endpoint.kind)
        if not target.simulated and _to_send(documents):
            probe(session, endpoint)
        documents = look_before(session, endpoint, prepare(session, given.mapping, documents), past)
        check_equations(record, first_outcomes(documents))
        if not options.quiet:
            _announce(screen.console(error=options.json), given, target, documents)
        _confirm(target, _to_send(documents), yes=options.yes)
        progress.total = _to_send(documents)
        path, explain = endpoint.path[given.mapping.api], _explainer(given)
        job = Run(record, endpoint, path, journal, session, progress, stop, flight=flight, explain=explain)
        job.taken = {found.number: found.key for found in past.accepted.values() if found.number}
        try:
            with progress:
                return job.execute(documents)
        except ImportFailed:
            with suppress(ImportFailed):
                rebuild_report(journal, record.run_id, errand.project, errand.report_folder)
            raise


def _explainer(given: Input) -> Callable[[str], str]:
    """Return what puts cause and advice into a verdict's message, in the language of the mapping."""
    endpoint, language = given.mapping.endpoint.name, given.language
    return lambda message: explain_verdict(given.causes, message, endpoint, language)


def _confirm(target: Target, count: int, *, yes: bool) -> None:
    """Ask before anything is sent to a real company.

    Raises: StartError when nobody can be asked or the answer is no.
    """
    if target.simulated or yes or not count:
        return
    if not sys.stdin.isatty():
        raise StartError(f"Nobody can be asked here whether to send to {target.name!r}. Say --yes. Nothing was sent.")
    if target.production:
        typed = click.prompt(f"{count} documents go to PRODUCTION. Type the target's name to send them", err=True)
        agreed = typed.strip() == target.name
    else:
        agreed = click.confirm(f"Send {count} documents to {target.name}?", err=True)
    if not agreed:
        raise StartError("Nothing was sent.")


def new_record(given: Input, *, run_id: str, target: str, company: str) -> RunRecord:
    """Return the record of a run that starts now."""
    return RunRecord(
        run_id=run_id,
        started_at=now_utc(),
        finished_at=None,
        exit_code=None,
        mapping_name=given.mapping.name,
        mapping_file=given.mapping.source.path.name,
        endpoint=given.mapping.endpoint.name,
        workbook_name=text_of(given.workbook.name),
        workbook_sha256=given.digest,
        sheet=given.plan.sheet.name,
        header_row=given.plan.sheet.header_row,
        target=target,
        company=company.lower(),
        simulated=target == SANDBOX,
        rows_read=given.plan.rows_read,
        totals=given.plan.totals,
    )


def report_check(given: Input, folder: Path) -> None:
    """Write the user's sheet with its mistakes marked, as a run that sent nothing."""
    outcomes = [
        replace(outcome, message=_CHECKED) if outcome.status is Status.NOT_SENT else outcome
        for outcome in first_outcomes(given.plan.documents)
    ]
    record = new_record(given, run_id="check", target="none", company="")
    code = StartError.exit_code if given.plan.problems else 0
    record = replace(record, finished_at=now_utc(), exit_code=code)
    try:
        write_report(folder, record, outcomes, given.workbook)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StartError(f"The report cannot be written into {str(folder)!r}: {reason}.") from None


def _announce(out: Any, given: Input, target: Target, documents: Sequence[Document]) -> None:
    out.print(NOTICE if target.simulated else f"Target {target.name} ({target.base_url})", markup=False)
    to_send = _to_send(documents)
    name, sheet = given.workbook.name, given.plan.sheet
    out.print(
        f"{name}, sheet {sheet.name}: {given.plan.rows_read} rows, {len(documents)} documents, {to_send} to send.",
        markup=False,
    )
    screen.problems(out, given.plan.warnings, sheet.headers, heading=f"{len(given.plan.warnings)} warnings")


def conclude(
    record: RunRecord,
    outcomes: Sequence[Outcome],
    folder: Path,
    notes: Sequence[str],
    options: Options,
    groups: Sequence[Group] | None = None,
) -> None:
    """Print how a run ended: for programs on stdout, or for people.

    `groups` are its rejections by cause; of a run that is shown again, those of the bundled catalogue.
    """
    if options.json:
        print_json({name: value for name, value in results(record, outcomes).items() if name != "documents"})
    out = screen.console(error=options.json)
    if not options.quiet:
        if groups is None:
            groups = group(outcomes, load_causes(None), record.endpoint, "en")
        screen.troubles(out, outcomes, groups, noun_of(record.endpoint))
        screen.summary(out, record, outcomes)
    for note in notes:
        out.print(note, markup=False)
    out.print(f"Report: {_short(folder)}", markup=False)
    code = "" if record.exit_code is None else f", exit code {record.exit_code}"
    out.print(f"Run {record.run_id}{code}: {exit_meaning(record.exit_code)}", markup=False)
    if record.simulated:
        out.print(NOTICE)


def _to_send(documents: Sequence[Document]) -> int:
    return sum(document.status is None for document in documents)


def _short(folder: Path) -> str:
    with suppress(ValueError):
        return str(folder.resolve().relative_to(Path.cwd()))
    return str(folder)


def rebuild_report(journal: Journal, run_id: str, project: Project, folder: Path | None) -> tuple[Path, list[str]]:
    """Write a run's report from what the journal holds."""
    record = journal.run(run_id)
    outcomes = journal.outcomes(run_id)
    if folder is None:
        stamp = record.started_at[:19].replace("-", "").replace(":", "").replace("T", "-")
        safe = "".join(char if char.isalnum() or char in "-_." else "-" for char in record.mapping_name)
        folder = project.reports / f"{safe}-{stamp}-{record.run_id}"
    copy = project.workbook_copy(record.workbook_sha256)
    try:
        notes = write_report(folder, record, outcomes, copy if copy.exists() else None)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        advice = "close results.xlsx where it is open, or make room, then say"
        notes = [f"The report could not be written ({reason}): {advice} visma-import report {record.run_id}"]
    return folder, notes
