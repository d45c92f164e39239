"""Show what a run would do with each document, and how long it would take. Reads from the API, never writes."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from importer.cli import screen
from importer.cli.connection import Connection, connected
from importer.cli.inputs import Input, check_data, print_json
from importer.cli.sending import Manner
from importer.decide import Clock, Known, decide
from importer.errors import StartError
from importer.journal import open_journal
from importer.journal.database import is_url
from importer.lookup import prepare, probe
from importer.model import Document, Status
from importer.preflight import look_before
from importer.project import Project
from importer.run import known
from importer.stop import Stop
from importer.target import Target

#: Added to each request for what the API itself needs; measured ones are longer than the network's own time.
_WORK_S: Final = 0.15


def show_plan(
    given: Input,
    project: Project,
    chosen: str | Target,
    where: str | Path,
    manner: Manner,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the plan and return the exit code: 3 where problems would keep the run from starting."""
    progress = screen.RunProgress(quiet=True)
    with connected(chosen, project, progress, Stop()) as connection:
        endpoint = given.mapping.endpoint
        past = _known(given, connection.target, where)
        clock = Clock(connection.session.server_now(), manner.settle_after_s)
        documents = decide(given.plan.documents, past, kind=endpoint.kind, clock=clock)
        documents = prepare(connection.session, given.mapping, documents)
        documents = look_before(connection.session, endpoint, documents, past)
        seconds = _predict(connection, given, documents, manner.workers)
    code = StartError.exit_code if given.plan.problems else 0
    if as_json:
        data = check_data(given, code)
        counts = {status.value: sum(d.status is status for d in documents) for status in Status}
        send = sum(document.status is None for document in documents)
        planned = [_row(document) for document in documents]
        data |= {"target": connection.target.name, "seconds": round(seconds, 1), "send": send}
        print_json({**data, "documents": counts, "plan": planned})
        return code
    _print(given, connection.target, documents, seconds, quiet=quiet)
    return code


def _known(given: Input, target: Target, where: str | Path) -> Known:
    if not is_url(where) and not Path(where).exists():
        return Known()
    journal = open_journal(where)
    try:
        return known(journal, target.company, given.mapping.endpoint.name)
    finally:
        journal.close()


def _predict(connection: Connection, given: Input, documents: Sequence[Document], workers: int) -> float:
    """Ask the API once, to learn how fast it answers and what it allows; return the seconds a run would take."""
    send = sum(document.status is None for document in documents)
    if not send:
        return 0.0
    started = time.monotonic()
    probe(connection.session, given.mapping.endpoint)
    each = time.monotonic() - started
    work = 0.0 if connection.target.loopback else _WORK_S
    return connection.session.pace.predict_s(send, (each + work) / workers)


def _row(document: Document) -> dict[str, Any]:
    return {
        "key": document.key,
        "action": _action(document),
        "status": document.status.value if document.status else None,
        "excel_rows": list(document.rows),
        "message": document.message,
        "found": [asdict(problem)["code"] for problem in document.problems],
    }


def _action(document: Document) -> str:
    if document.status is None:
        return "send"
    return (
        "blocked" if document.status in {Status.INVALID, Status.UNKNOWN, Status.CHANGED} or document.waits else "skip"
    )


def _print(given: Input, target: Target, documents: Sequence[Document], seconds: float, *, quiet: bool) -> None:
    out, plan = screen.console(), given.plan
    screen.plan_problems(out, plan.problems, plan.warnings, plan.sheet.headers, quiet=quiet)
    if not quiet:
        for document in documents:
            rows = ", ".join(map(str, document.rows[:6])) + (" ..." if len(document.rows) > 6 else "")  # noqa: PLR2004
            reason = document.message or "; ".join(dict.fromkeys(p.message for p in document.problems))
            text = f"{_action(document):8}{document.key or '-'}  (rows {rows})  {reason}".rstrip()
            out.print(screen.printable(text), markup=False)
    counts = {name: sum(_action(document) == name for document in documents) for name in ("send", "skip", "blocked")}
    counted = ", ".join(f"{name} {count}" for name, count in counts.items())
    out.print(f"To {target.name}: {counted}. About {screen.duration(seconds)}.", markup=False)
    screen.inserted(out, given.mapping.endpoint, documents)
    screen.totals(out, plan.totals)
    out.print("Nothing was sent.")
