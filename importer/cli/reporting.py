"""Write what a run or a check left: the report's files, and how it ended on the screen."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from importer.causes import group, noun_of
from importer.cli import screen
from importer.cli.inputs import Input, Options, print_json, text_of
from importer.endpoints import creator
from importer.errors import StartError, advice_for, reason_of
from importer.journal import Journal, changes
from importer.model import Outcome, RunRecord, Status
from importer.project import Project
from importer.report import write_report
from importer.report.checked import CheckRecord, check_record
from importer.report.contents import Contents, contents, refusals
from importer.report.counts import count
from importer.report.json_file import whole
from importer.report.words import NOTICE, result
from importer.run import first_outcomes
from importer.send import now_utc
from importer.target import SANDBOX

if TYPE_CHECKING:
    from importer.forecast import Forecast
    from importer.report.replaced_file import Replaced

_CHECKED: Final = "Ready. This was a check: nothing was sent."


def new_record(given: Input, *, run_id: str, target: str, company: str, allowed: str | None = None) -> RunRecord:
    """Return the record of a run that starts now; `allowed` is what it may leave, as the journal keeps it."""
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
        allowed=allowed,
    )


def checked(given: Input) -> tuple[CheckRecord, list[Outcome]]:
    """Return what a check found as the record and the outcomes of a run that sent nothing."""
    outcomes = [
        replace(outcome, message=_CHECKED) if outcome.status is Status.NOT_SENT else outcome
        for outcome in first_outcomes(given.plan.documents)
    ]
    record = new_record(given, run_id="check", target="none", company="")
    code = StartError.exit_code if given.plan.problems else 0
    record = replace(record, finished_at=now_utc(), exit_code=code)
    plan = given.plan
    return check_record(record, plan.held, plan.causes, plan.warnings, plan.sheet.layout), outcomes


def planned_contents(given: Input, forecast: "Forecast") -> Contents:
    """Return what a run would leave that sends nothing of a plan."""
    record = new_record(given, run_id="plan", target=forecast.target, company="")
    return contents(check_record(record, given.plan.held, (), ()), first_outcomes(forecast.documents))


def report_check(given: Input, folder: Path) -> list[str]:
    """Write the user's sheet with its mistakes marked; return notes for the user.

    Raises: StartError when the folder cannot be written.
    """
    record, outcomes = checked(given)
    try:
        return write_report(folder, record, outcomes, given.workbook, own=given.workbook)
    except OSError as error:
        raise StartError(
            f"The report cannot be written into {str(folder)!r}: {reason_of(error)}. {advice_for(error)}"
        ) from None


def conclude(
    record: RunRecord,
    outcomes: Sequence[Outcome],
    folder: Path | None,
    notes: Sequence[str],
    options: Options,
    given: Input | None = None,
) -> None:
    """Print how a run ended: for programs on stdout, and for people."""
    if options.json:
        print_json(whole(record, outcomes))
    show_end(record, outcomes, folder, notes, options, given)


def show_end(
    record: RunRecord,
    outcomes: Sequence[Outcome],
    folder: Path | None,
    notes: Sequence[str],
    options: Options,
    given: Input | None = None,
) -> None:
    """Print how a run ended, for people.

    `folder` is where its report is, if it could be written. Rejections are explained as the mapping's own catalogue
    does; without `given`, of a run that is shown again, as the bundled one does.
    """
    out = screen.console(error=options.json)
    if not options.quiet:
        own = group(outcomes, given.causes, record.endpoint, given.language) if given else None
        found = refusals(record, outcomes) if own is None else own
        screen.troubles(out, outcomes, found, noun_of(record.endpoint))
        screen.summary(out, record, outcomes)
    for note in notes:
        out.print(note, markup=False)
    if folder is not None:
        out.print(f"Report: {screen.short(folder)}", markup=False)
    code = "" if record.exit_code is None else f", exit code {record.exit_code}"
    out.print(f"Run {record.run_id}{code}: {result(record, count(outcomes))}", markup=False)
    if record.simulated:
        out.print(NOTICE)


def report_folder(project: Project, name: str, started_at: str, own_id: str) -> Path:
    """Return the folder of a report that is given none: named after what ran and when."""
    stamp = started_at[:19].replace("-", "").replace(":", "").replace("T", "-")
    safe = "".join(char if char.isalnum() or char in "-_." else "-" for char in name)
    return project.reports / f"{safe}-{stamp}-{own_id}"


def rebuild_report(
    journal: Journal,
    run_id: str,
    project: Project,
    folder: Path | None,
    outcomes: Sequence[Outcome] | None = None,
    own: Path | None = None,
) -> tuple[Path | None, list[str]]:
    """Write a run's report from what the journal holds; return where it is, if it could be written, and notes.

    `outcomes` are those that the journal holds, where they are at hand, and `own` is the user's own workbook.
    """
    record = journal.run(run_id)
    outcomes = journal.outcomes(run_id) if outcomes is None else outcomes
    if folder is None:
        folder = report_folder(project, record.mapping_name, record.started_at, record.run_id)
    copy = project.workbook_copy(record.workbook_sha256)
    told, replaced = _carried_out(journal, record, folder)
    try:
        notes = write_report(folder, record, outcomes, copy if copy.exists() else None, replaced, own)
    except OSError as error:
        advice = f"see that you may write into {str(folder)!r}, that there is room and results.xlsx is not open, then"
        why = f"The report could not be written ({reason_of(error)}): {advice} say visma-import report {record.run_id}"
        return None, [why]
    return folder, [*notes, *told]


def _carried_out(journal: Journal, record: RunRecord, folder: Path) -> tuple[list[str], "Replaced | None"]:
    """Return what is to be said of what a run created and changed, and what it replaced."""
    done = changes.carried_out(journal, record.run_id)
    noun, notes = noun_of(record.endpoint), []
    if creator(record.endpoint) != record.endpoint:
        accepted = [attempt.endpoint for attempt, _ in done if attempt.state == "accepted"]
        created = accepted.count(creator(record.endpoint))
        changed = screen.counted(len(accepted) - created, noun)
        notes.append(f"Created {screen.counted(created, noun)}, changed {changed}.")
    if not any(before for _, before in done):
        return notes, None
    from importer.report import replaced_file as files

    replaced = files.replaced_by([(attempt.endpoint, attempt.key, before) for attempt, before in done])
    if replaced is not None and replaced.rows:
        count, how = (
            screen.counted(len(replaced.rows), noun),
            files.command(record, screen.short(folder / files.MAPPING)),
        )
        notes.append(f"What {count} had before is in {files.WORKBOOK}. To put it back: {how}")
    if replaced is not None and replaced.losses:
        count, first = screen.counted(len(replaced.losses), "value"), replaced.losses[0]
        notes.append(
            f"{count} cannot be put back, the first: {first.field} of {first.number}; {first.why}. All of them are in "
            f"{files.WORKBOOK}."
        )
    return notes, replaced
