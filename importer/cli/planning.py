"""Show what a run would do with each document, and how long it would take. Reads from the API, never writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from importer.atomic_file import replacing
from importer.cli import job, plan_text, screen
from importer.cli.applying import saved
from importer.cli.connection import connected
from importer.cli.inputs import Input, check_data, print_json
from importer.cli.outputs import refuse_losing
from importer.cli.prospect import Prospect, prospect
from importer.cli.reporting import planned_contents
from importer.cli.sending import Manner
from importer.cli.stream import printable
from importer.cli.task import Task, task_data
from importer.errors import StartError
from importer.forecast import Amount, Forecast, action
from importer.journal import open_journal
from importer.journal.database import is_url
from importer.jsontext import plain
from importer.model import Document, Status
from importer.saved_plan import Arguments, SavedPlan
from importer.stop import Stop
from importer.target import Target
from importer.template import template_files

#: Kinds of files in which people might expect a plan to read, and those of mappings, their tests and templates.
_OTHER_KINDS: Final = frozenset(
    {".csv", ".doc", ".docx", ".htm", ".html", ".ods", ".pdf", ".txt", ".xls", ".xlsm", ".xml", ".j2", ".yaml", ".yml"}
)


def show_plan(
    task: Task,
    chosen: str | Target,
    where: str | Path,
    manner: Manner,
    outputs: Sequence[Path],
    arguments: Arguments,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the plan and return the exit code: 3 where problems would keep the run from starting.

    Raises: StartError when a file of the plan cannot be written; UsageError where it would take another one's place.
    """
    inputs = list(_inputs(task))
    for output in outputs:
        _refuse(output, inputs)
    progress, plan_id = screen.RunProgress(quiet=True), uuid4().hex
    journal = open_journal(where) if is_url(where) or Path(where).exists() else None
    try:
        with connected(chosen, task.project, progress, Stop()) as connection:
            found = prospect(task, connection, journal, manner, plan_id)
    finally:
        if journal is not None:
            journal.close()
    for output in outputs:
        _write(output, found, saved(found, plan_id, arguments))
    code = StartError.exit_code if found.task.problems else 0
    if as_json:
        print_json(_data(found, code))
    else:
        _show(found, quiet=quiet)
        for output in outputs:
            screen.console().print(f"Plan: {output}", markup=False)
    for step, forecast in zip(found.task.steps, found.forecasts, strict=True):
        job.planned(step.given, forecast, manner.annotations)
    return code


def _inputs(task: Task) -> Iterator[Path]:
    """Yield every file that a plan is made from."""
    yield task.project.folder / "targets.yaml"
    if task.migration is not None:
        yield task.migration.source.path
    for step in task.steps:
        mapping = step.given.mapping
        yield from (mapping.source.path, step.given.workbook, mapping.source.path.parent / "causes.yaml")
        yield from template_files(mapping)


def _refuse(output: Path, inputs: Sequence[Path]) -> None:
    """Refuse a file that is no place for a plan, before any is written.

    Raises: StartError, UsageError.
    """
    refuse_losing(output, inputs)
    if output.suffix.lower() in _OTHER_KINDS:
        raise StartError(
            f"A plan is not written as {output.suffix}: name a workbook (-o FILE.xlsx), a text (-o FILE.md), or what "
            f"run --plan takes (-o FILE.plan), not {output.name!r}."
        )


def _show(found: Prospect, *, quiet: bool) -> None:
    if found.task.migration is None:
        plan_text.show(found.forecasts[0], quiet=quiet)
        return
    out = screen.console()
    for number, (step, forecast) in enumerate(zip(found.task.steps, found.forecasts, strict=True), start=1):
        out.rule(f"Step {number} of {len(found.forecasts)}: {printable(step.name)}", align="left")
        plan_text.show(forecast, quiet=quiet)


def _write(output: Path, found: Prospect, plan: SavedPlan) -> None:
    """Write a plan into a file: a workbook or a text for people by its name's end, else what run --plan takes.

    Raises: StartError.
    """
    from importer.report import plan_file, plan_review

    if output.suffix.lower() == ".xlsx":
        plan_file.write(output, found.forecasts, [step.name for step in found.task.steps])
    elif output.suffix.lower() == ".md":
        steps = [
            (step.name, planned_contents(step.given, forecast), forecast)
            for step, forecast in zip(found.task.steps, found.forecasts, strict=True)
        ]
        with replacing(output) as partial:
            partial.write_text(plan_review.review(found.task.name, steps, list(plan.files.items())), encoding="utf-8")
    else:
        plan.save(output)


def _data(found: Prospect, code: int) -> dict[str, Any]:
    """Return what `plan --json` prints."""
    plans = [
        _plan(step.given, forecast, code) for step, forecast in zip(found.task.steps, found.forecasts, strict=True)
    ]
    return plans[0] if found.task.migration is None else task_data(found.task, plans, code)


def _plan(given: Input, forecast: Forecast, code: int) -> dict[str, Any]:
    """Return what `plan --json` prints of one mapping."""
    documents = forecast.documents
    counts = {status.value: sum(d.status is status for d in documents) for status in Status}
    found = forecast.to_send
    return {
        **check_data(given, code),
        "target": forecast.target,
        "seconds": round(forecast.seconds, 1),
        "send": len(found),
        **forecast.verbs(),
        "documents": counts,
        "amounts": [_amount(amount) for amount in forecast.amounts],
        "first": _example(found[0]) if found else None,
        "last": _example(found[-1]) if found else None,
        "plan": [_row(forecast, position) for position in range(len(documents))],
    }


def _example(document: Document) -> dict[str, str | None]:
    """Return one document with its body as the text that would be sent."""
    return {"key": document.key, "body": document.body.decode()}


def _amount(amount: Amount) -> dict[str, Any]:
    sums = {"sheet": amount.sheet, **amount.by_action, "bodies": amount.bodies, "expect": amount.expect}
    texts = {name: None if value is None else plain(value) for name, value in sums.items()}
    own = {"name": amount.name, "header": amount.column, "currency": amount.currency, "unknown": amount.unknown}
    return {**own, **texts}


def _row(forecast: Forecast, position: int) -> dict[str, Any]:
    document = forecast.documents[position]
    return {
        "key": document.key,
        "action": action(document),
        "endpoint": document.endpoint or None,
        "number": document.path_number or document.number,
        "status": document.status.value if document.status else None,
        "excel_rows": list(document.rows),
        "fingerprint": document.fingerprint or None,
        "message": document.message,
        "changes": forecast.changes.get(position, ""),
        "found": [problem.code for problem in document.problems],
    }
