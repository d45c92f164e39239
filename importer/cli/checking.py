"""Show what `check` found, and why a run does not start: of one mapping, or of each step of a migration."""

from collections.abc import Sequence
from pathlib import Path

from importer.allowance import Allowed, in_words
from importer.cli import job, listing, screen
from importer.cli.inputs import Input, Options, check_data, document_counts, print_json
from importer.cli.stream import printable, say
from importer.cli.task import Task, task_data
from importer.errors import StartError
from importer.model import Status


def check_task(
    task: Task, report_folder: Path | None, annotations: str | None = None, *, as_json: bool, quiet: bool
) -> int:
    """Show what is wrong with a task, write the report that is wanted, and return the exit code.

    Raises: StartError when the report cannot be written.
    """
    code = StartError.exit_code if task.problems else 0
    folders = [report_folder and task.folder_in(report_folder, number) for number in range(len(task.steps))]
    notes = [
        [] if folder is None else _report(step.given, folder) for step, folder in zip(task.steps, folders, strict=True)
    ]
    if as_json:
        print_json(data(task, code))
    for number, step in enumerate(task.steps):
        if not as_json:
            heading(task, number)
            _show(step.given, notes[number], folders[number], quiet=quiet)
        job.checked(step.given, annotations, folders[number])
    if task.migration is not None and not as_json:
        told = screen.counted(task.problems, "problem") if task.problems else "No problems"
        screen.told(screen.console(), f"{task.name}: {screen.counted(len(task.steps), 'step')}. {told}.", 0)
    return code


def data(task: Task, code: int) -> object:
    """Return what `check --json` prints."""
    steps = [check_data(step.given, code if task.migration is None else _code(step.given)) for step in task.steps]
    return steps[0] if task.migration is None else task_data(task, steps, code)


def _code(given: Input) -> int:
    return StartError.exit_code if given.plan.problems else 0


def heading(task: Task, number: int) -> None:
    """Print which step of a migration follows."""
    if task.migration is not None:
        name = printable(task.steps[number].name)
        screen.console().rule(f"Step {number + 1} of {len(task.steps)}: {name}", align="left")


def _report(given: Input, folder: Path) -> list[str]:
    from importer.cli.reporting import report_check

    return report_check(given, folder)


def _show(found: Input, notes: Sequence[str], report_folder: Path | None, *, quiet: bool) -> None:
    """Print what `check` found in one mapping, for people."""
    out, plan = screen.console(), found.plan
    listing.findings(out, plan, quiet=quiet)
    counts = document_counts(plan)
    how = f" ({plan.sheet.layout})" if plan.sheet.layout else ""
    screen.told(
        out,
        f"{found.workbook.name}{how}, sheet {plan.sheet.name}: {screen.counted(plan.rows_read, 'row')}, "
        f"{screen.counted(counts['ready'], 'document')} ready, {counts['invalid']:,} invalid, "
        f"{counts['filtered']:,} left out.",
        0,
    )
    screen.inserted(out, found.mapping.endpoint, plan.documents)
    screen.totals(out, plan.totals)
    for note in notes:
        out.print(note, markup=False)
    if report_folder is not None:
        out.print(f"Report: {report_folder}", markup=False)
    count = len(plan.problems)
    if not count:
        screen.told(out, "No problems. Nothing was sent: visma-import plan shows what a run would do.", 0)
        return
    them, each = ("it", "it") if count == 1 else ("them", "each of them")
    hint = f" --report DIR writes the sheet with {each} marked." if report_folder is None else ""
    screen.told(out, f"{screen.counted(count, 'problem')}. Correct {them} and check again.{hint}", 0)


def refuse_to_start(task: Task, options: Options, allowed: Allowed, annotations: str | None) -> int:
    """Show why a run does not start; return its exit code."""
    if options.json:
        print_json(data(task, StartError.exit_code))
        if left := _left(task, allowed):
            say(f"{left}, so nothing was sent.", error=True)
    else:
        _show_refusal(task, options, allowed)
    for step in task.steps:
        if step.given.plan.problems:
            job.checked(step.given, annotations, held=True)
    return StartError.exit_code


def _left(task: Task, allowed: Allowed) -> str:
    """Say that more documents are invalid than is allowed, where that is what keeps a run from starting."""
    held = any(step.given.plan.held for step in task.steps)
    return "" if held else in_words(allowed, {Status.INVALID: task.invalid})


def _show_refusal(task: Task, options: Options, allowed: Allowed) -> None:
    out = screen.console()
    for number, step in enumerate(task.steps):
        if step.given.plan.problems:
            heading(task, number)
            listing.findings(out, step.given.plan, quiet=options.quiet)
    plans = [step.given.plan for step in task.steps]
    good = sum(document_counts(plan)["ready"] for plan in plans)
    which = screen.counted(good, "good document")
    held = any(plan.held for plan in plans)
    hint = "" if held or not good else f" --skip-invalid sends the {which} all the same."
    count, them = screen.counted(task.problems, "problem"), "it" if task.problems == 1 else "them"
    left = f" ({left})" if (left := _left(task, allowed)) else ""
    screen.told(out, f"{count}{left}, so nothing was sent. Correct {them} and run again.{hint}", 0)
