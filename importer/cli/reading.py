"""Declare the commands that only read: list what the API holds, and check a target."""

from typing import TYPE_CHECKING, Any, Final

import click

from importer.cli.options import FILE, FORCE, target_option, with_options
from importer.cli.stream import printable
from importer.errors import StartError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_SHORT: Final = {
    "since": "lastModifiedDateTime=>=",
    "status": "status=",
    "period": "financialPeriod=",
    "project": "project=",
}
_TARGET = target_option("Where to read")


@click.command()
@with_options(
    click.argument("resource"),
    click.option("-o", "--output", type=FILE, required=True, help="A .xlsx, .csv or .jsonl file."),
    click.option("--since", metavar="DATE", help="Changed since then: 2025-01-14 or 2025-01-14T08:00:00."),
    click.option("--status", help="Only with this status."),
    click.option("--period", help="Only of this financial period: 2025-01, 202501 or 01-2025."),
    click.option("--project", help="Only of this project."),
    click.option("--expand", multiple=True, metavar="PART,...", help="Parts to read too, as attachments,taxDetails."),
    click.option(
        "--filter",
        "filters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Another filter (repeatable); a date with its sign, in quotes: 'documentDate=>=2025-01-01'.",
    ),
    click.option("--lines", is_flag=True, help="One row a document line, instead of one a document."),
    FORCE,
    _TARGET,
)
def fetch(
    resource: str, output: "Path", target: str | None, *, force: bool, as_json: bool, quiet: bool, **given: Any
) -> int:
    """List what the API holds in a file. Sends nothing.

    RESOURCE is customer, customerInvoice, customerCreditNote or customerDebitNote. Reads every page and writes one row
    a document (with --lines one a line).
    """
    from pathlib import Path

    from importer import fetch as listing
    from importer import fetch_files
    from importer.cli.connection import connected
    from importer.cli.inputs import print_json
    from importer.cli.outputs import refuse_losing, refuse_overwriting
    from importer.cli.screen import ReadProgress
    from importer.project import project_here
    from importer.stop import Stop
    from importer.target import choose

    request = _request(resource, given)
    refuse_losing(output)
    suffix = fetch_files.suffix_of(output)
    if given["lines"] and request.listing.lines is None:
        raise UsageError(f"--lines: {request.listing.title} have no lines. Leave it out.")
    # a workbook of the user's own may be what the next import is made of
    refuse_overwriting(output, force=force or suffix != ".xlsx" or fetch_files.is_fetched(output))
    project = project_here(Path.cwd())
    chosen = choose(project.folder, target)
    if isinstance(chosen, str):
        project.make_private()
    progress = ReadProgress(quiet=quiet, title=request.listing.title)
    with connected(chosen, project, progress, Stop()) as (used, session), progress:
        found = listing.fetch(session, request, progress.page)
    rows, notes = fetch_files.write(output, request, found.items, lines=given["lines"])
    data = {
        "resource": resource,
        "target": used.name,
        "documents": len(found.items),
        "rows": rows,
        "file": str(output),
        "warnings": [*found.warnings, *notes],
    }
    if as_json:
        print_json({"format_version": 1, "exit_code": 0, **data})
    else:
        _tell(data, request.listing.title, simulated=used.simulated, quiet=quiet)
    return 0


def _request(resource: str, given: dict[str, Any]) -> Any:
    from importer.fetch import request_for

    short = [f"{start}{given[name]}" for name, start in _SHORT.items() if given[name] is not None]
    words = [word.strip() for text in given["expand"] for word in text.split(",") if word.strip()]
    return request_for(resource, [*short, *given["filters"]], list(dict.fromkeys(words)))


def _tell(data: dict[str, Any], title: str, *, simulated: bool, quiet: bool) -> None:
    from importer.cli import screen

    out = screen.console()
    for warning in data["warnings"]:
        out.print(f"Warning: {printable(warning)}", markup=False)
    if quiet:
        return
    below = f" in {data['rows']} rows" if data["rows"] != data["documents"] else ""
    out.print(f"{data['documents']} {title} from {data['target']}{below}: {data['file']}", markup=False)
    if simulated:
        out.print("sandbox: these rows do not come from Visma")


@click.command()
@with_options(_TARGET)
def doctor(target: str | None, *, as_json: bool, quiet: bool) -> int:
    """Check a target step by step. Sends nothing.

    Looks at the secrets, the host, the token, the company and the limits.
    """
    from dataclasses import asdict
    from pathlib import Path

    from importer.cli import screen
    from importer.cli.inputs import print_json
    from importer.doctor import examine
    from importer.project import project_here

    project = project_here(Path.cwd())
    if not (project.folder / "targets.yaml").is_file():
        project.make_private()
    out = screen.console()
    steps = []
    for step in examine(project.folder, target, project.sandbox):
        steps.append(step)
        if not as_json and not (quiet and step.ok):
            mark = {True: "ok", False: "NOT OK", None: "-"}[step.ok]
            screen.told(out, f"{mark:8}{step.name}: {step.message}", 0, hang=8)
            if step.advice:
                screen.told(out, f"-> {step.advice}", 8, hang=3)
    code = StartError.exit_code if any(step.ok is not True for step in steps) else 0
    if as_json:
        print_json({"format_version": 1, "exit_code": code, "steps": [asdict(step) for step in steps]})
    elif not quiet:
        out.print("Everything is as it should be." if code == 0 else "Correct what is not ok, then run doctor again.")
    return code
