"""Show what a run would do with each document, and how long it would take. Reads from the API, never writes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from importer.cli import plan_text, screen
from importer.cli.connection import Connection, connected
from importer.cli.inputs import Input, check_data, print_json
from importer.cli.sending import Manner
from importer.decide import Clock, Known, decide, since_accepted
from importer.errors import StartError
from importer.forecast import Amount, Forecast, action, control_totals
from importer.journal import open_journal
from importer.journal.database import is_url
from importer.jsontext import plain
from importer.lookup import prepare, probe
from importer.model import Document, Status
from importer.preflight import look_before
from importer.project import Project
from importer.run import known
from importer.stop import Stop
from importer.target import Target

#: Added to each request for what the API itself needs; measured ones are longer than the network's own time.
_WORK_S: Final = 0.15


@dataclass(frozen=True, slots=True)
class _Memory:
    """Hold what the journal knows."""

    known: Known = field(default_factory=Known)
    #: by attempt, what it was expected to be found by
    expected: dict[int, str] = field(default_factory=dict)


def show_plan(
    given: Input,
    project: Project,
    chosen: str | Target,
    where: str | Path,
    manner: Manner,
    output: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the plan and return the exit code: 3 where problems would keep the run from starting.

    Raises: StartError when the workbook of the plan cannot be written.
    """
    forecast = _forecast(given, project, chosen, where, manner)
    if output is not None:
        _write(output, forecast)
    code = StartError.exit_code if given.plan.problems else 0
    if as_json:
        print_json(_data(given, forecast, code))
        return code
    plan_text.show(forecast, quiet=quiet)
    if output is not None:
        screen.console().print(f"Plan: {output}", markup=False)
    return code


def _forecast(given: Input, project: Project, chosen: str | Target, where: str | Path, manner: Manner) -> Forecast:
    progress = screen.RunProgress(quiet=True)
    with connected(chosen, project, progress, Stop()) as connection:
        endpoint = given.mapping.endpoint
        memory = _memory(given, connection.target, where)
        clock = Clock(connection.session.server_now(), manner.settle_after_s)
        documents = decide(given.plan.documents, memory.known, kind=endpoint.kind, clock=clock)
        documents = prepare(connection.session, given.mapping, documents)
        documents = look_before(connection.session, endpoint, documents, memory.known)
        seconds, basis = _predict(connection, given, documents, manner.workers)
    changes = {
        position: text
        for position, document in enumerate(documents)
        if (text := since_accepted(document, memory.known, memory.expected))
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


def _write(output: Path, forecast: Forecast) -> None:
    from importer.report import plan_file

    if output.suffix.lower() != ".xlsx":
        raise StartError(f"The plan is written as a workbook: -o FILE.xlsx, not {output.name!r}.")
    try:
        plan_file.write(output, forecast)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StartError(
            f"The plan cannot be written to {str(output)!r}: {reason}. Close it where it is open."
        ) from None


def _memory(given: Input, target: Target, where: str | Path) -> _Memory:
    if not is_url(where) and not Path(where).exists():
        return _Memory()
    journal = open_journal(where)
    try:
        endpoint = given.mapping.endpoint.name
        accepted = journal.live_attempts(target.company, endpoint)
        expected = {attempt.attempt_id: attempt.expect for attempt in accepted if attempt.state == "accepted"}
        return _Memory(known(journal, target.company, endpoint), expected)
    finally:
        journal.close()


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
    basis = f"({send:,} documents, {workers} at a time, {each:.2f} s each{limit}.)"
    return pace.predict_s(send, each / workers), basis


def _data(given: Input, forecast: Forecast, code: int) -> dict[str, Any]:
    """Return what `plan --json` prints."""
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
