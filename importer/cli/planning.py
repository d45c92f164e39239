"""Show what a run would do with each document, and how long it would take. Reads from the API, never writes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from importer.cli import plan_text, screen
from importer.cli.connection import Connection, connected, decider_for
from importer.cli.inputs import Input, check_data, print_json
from importer.cli.sending import Manner
from importer.cli.task import Task, referred, task_data
from importer.decide import since_accepted
from importer.errors import StartError
from importer.forecast import Amount, Forecast, action, control_totals, held
from importer.journal import Journal, open_journal
from importer.journal.database import is_url
from importer.jsontext import plain
from importer.lookup import probe
from importer.model import Document, Status
from importer.stop import Stop
from importer.target import Target

#: Added to each request for what the API itself needs; measured ones are longer than the network's own time.
_WORK_S: Final = 0.15


@dataclass(frozen=True, slots=True)
class Prospect:
    """Hold a task as a target and a journal stand to it, and what a run of each step would do."""

    task: Task
    target: Target
    forecasts: tuple[Forecast, ...]


def show_plan(
    task: Task,
    chosen: str | Target,
    where: str | Path,
    manner: Manner,
    outputs: Sequence[Path],
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the plan and return the exit code: 3 where problems would keep the run from starting.

    Raises: StartError when a file of the plan cannot be written.
    """
    progress = screen.RunProgress(quiet=True)
    journal = open_journal(where) if is_url(where) or Path(where).exists() else None
    try:
        with connected(chosen, task.project, progress, Stop()) as connection:
            found = prospect(task, connection, journal, manner)
    finally:
        if journal is not None:
            journal.close()
    for output in outputs:
        _write(output, found)
    code = StartError.exit_code if found.task.problems else 0
    if as_json:
        print_json(_data(found, code))
        return code
    _show(found, quiet=quiet)
    for output in outputs:
        screen.console().print(f"Plan: {output}", markup=False)
    return code


def prospect(task: Task, connection: Connection, journal: Journal | None, manner: Manner) -> Prospect:
    """Return what a run would do with each document of each step."""
    task = referred(task, journal, connection.target.company)
    forecasts: list[Forecast] = []
    promised: set[tuple[str, str]] = set()
    for step in task.steps:
        forecast = _forecast(step.given, connection, journal, manner, frozenset(promised))
        forecasts.append(forecast)
        promised |= {(step.name, document.key) for document in forecast.to_send if document.key is not None}
    return Prospect(task, connection.target, tuple(forecasts))


def _forecast(
    given: Input,
    connection: Connection,
    journal: Journal | None,
    manner: Manner,
    promised: frozenset[tuple[str, str]],
) -> Forecast:
    decider = replace(
        decider_for(given, connection, journal, manner.settle_after_s),
        promised=lambda reference: (reference.name, reference.key) in promised,
    )
    past, documents = decider.by_journal(given.plan.documents)
    documents = held(given.plan, decider.by_api(documents, past))
    seconds, basis = _predict(connection, given, documents, manner.workers)
    expected = _expected(given, journal, connection.target.company)
    changes = {
        position: text
        for position, document in enumerate(documents)
        if (text := since_accepted(document, past, expected))
    }
    return Forecast(
        plan=given.plan,
        target=connection.target.name,
        simulated=connection.target.simulated,
        documents=documents,
        changes=changes,
        amounts=tuple(control_totals(given.plan, documents)),
        seconds=seconds,
        basis=basis,
    )


def _expected(given: Input, journal: Journal | None, company: str) -> dict[int, str]:
    """Return by attempt what an accepted document was expected to be found by."""
    if journal is None:
        return {}
    live = journal.live_attempts(company, given.mapping.endpoint.name)
    return {attempt.attempt_id: attempt.expect for attempt in live if attempt.state == "accepted"}


def _show(found: Prospect, *, quiet: bool) -> None:
    if found.task.migration is None:
        plan_text.show(found.forecasts[0], quiet=quiet)
        return
    out = screen.console()
    for number, (step, forecast) in enumerate(zip(found.task.steps, found.forecasts, strict=True), start=1):
        out.rule(f"Step {number} of {len(found.forecasts)}: {screen.printable(step.name)}", align="left")
        plan_text.show(forecast, quiet=quiet)


def _write(output: Path, found: Prospect) -> None:
    """Write a plan into a file of the kind that its name tells.

    Raises: StartError.
    """
    from importer.report import plan_file

    try:
        if output.suffix.lower() == ".xlsx":
            plan_file.write(output, found.forecasts, [step.name for step in found.task.steps])
        else:
            raise StartError(f"The plan is written as a workbook: -o FILE.xlsx, not {output.name!r}.")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StartError(
            f"The plan cannot be written to {str(output)!r}: {reason}. Close it where it is open."
        ) from None


def _predict(connection: Connection, given: Input, documents: Sequence[Document], workers: int) -> tuple[float, str]:
    """Ask the API once, to learn how fast it answers and what it allows.

    Return the seconds a run would take, and what they were reckoned from.
    """
    send = sum(document.status is None for document in documents)
    if not send:
        return 0.0, ""
    started = time.monotonic()
    probe(connection.session, given.mapping.endpoint)
    each = time.monotonic() - started + (0.0 if connection.target.loopback else _WORK_S)
    pace = connection.session.pace
    limit = "" if pace.limit is None else f", {pace.limit:,} requests an hour allowed, {pace.remaining or 0:,} left"
    basis = f"({screen.counted(send, 'document')}, {workers} at a time, {each:.2f} s each{limit}.)"
    return pace.predict_s(send, each / workers), basis


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
        "status": document.status.value if document.status else None,
        "excel_rows": list(document.rows),
        "fingerprint": document.fingerprint or None,
        "message": document.message,
        "changes": forecast.changes.get(position, ""),
        "found": [problem.code for problem in document.problems],
    }
