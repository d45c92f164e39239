"""Declare the commands about new mappings: draft one from a workbook, make an empty workbook from one."""

import os
from typing import TYPE_CHECKING, Any

import click

from importer.cli.options import FILE, FORCE, with_options
from importer.errors import UsageError, WorkbookError

if TYPE_CHECKING:
    from pathlib import Path

    from importer.drafting import Draft
    from importer.drafting.checking import Verdict


@click.command()
@with_options(
    click.argument("workbook", type=FILE),
    click.option("--endpoint", required=True, metavar="NAME", help="What each document becomes; see: endpoints."),
    click.option("-o", "--output", type=FILE, metavar="FILE", help="The draft; default: beside the workbook."),
    click.option("--sheet", metavar="NAME", help="The sheet, where several are visible."),
    click.option("--header-row", type=click.IntRange(min=1), metavar="N", help="The row of the headers, if not found."),
    FORCE,
)
def init(
    workbook: "Path",
    endpoint: str,
    output: "Path | None",
    sheet: str | None,
    header_row: int | None,
    *,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Draft a mapping from a workbook.

    What is not sure stands in it behind a #, with the reason.
    """
    from importer import drafting
    from importer.cli.inputs import print_json
    from importer.cli.outputs import refuse_losing, refuse_overwriting
    from importer.endpoints import table
    from importer.yamlfile import did_you_mean

    if endpoint not in table():
        raise UsageError(f"There is no endpoint {endpoint!r}. {did_you_mean(endpoint, list(table()))}")
    target = output or workbook.parent / f"{workbook.stem}.mapping.yaml"
    refuse_losing(target, [workbook])
    refuse_overwriting(target, force=force)
    words = drafting.read_words()
    try:
        found = drafting.find_sheet(workbook, words, sheet=sheet, header_row=header_row)
    except WorkbookError as error:
        raise WorkbookError(str(error).replace("workbook: sheet: NAME", "--sheet NAME")) from error
    draft = drafting.make_draft(
        found, table()[endpoint], words, file=_relative(workbook, target.parent), name=workbook.stem
    )
    verdict = _write(target, draft, found, force=force)
    if as_json:
        print_json(_data(target, draft, verdict))
    else:
        _tell(target, draft, verdict, quiet=quiet)
    return 0


def _relative(file: "Path", folder: "Path") -> str:
    """Return the way from a folder to a file, with / on every system."""
    from pathlib import Path

    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return file.resolve().as_posix()


def _schema(folder: "Path") -> str:
    """Return where an editor finds the mapping's schema: the nearest checkout's upward, else the program's own."""
    from importer import resources

    name = "mapping.schema.json"
    near = (up / "schemas" / name for up in folder.resolve().parents)
    file = next((found for found in near if found.is_file()), resources.schemas() / name)
    way = _relative(file, folder)
    # an editor takes the address up to the first space
    return file.resolve().as_uri() if " " in way else way


def _write(target: "Path", draft: "Draft", sheet: Any, *, force: bool) -> "Verdict":
    """Write the draft with what `check` says of it on top.

    Raises: StartError when it cannot be written.
    """
    from importer.atomic_file import replacing
    from importer.cli.outputs import refuse_overwriting
    from importer.drafting import written
    from importer.drafting.checking import check_draft

    schema = _schema(target.parent)
    with replacing(target) as partial:
        partial.write_text(written(draft, schema), encoding="utf-8")
        verdict = check_draft(partial, target.name, sheet)
        partial.write_text(written(draft, schema, verdict.said), encoding="utf-8")
        refuse_overwriting(target, force=force)
    return verdict


def _data(target: "Path", draft: "Draft", verdict: "Verdict") -> dict[str, Any]:
    """Return what `init --json` prints."""
    return {
        "format_version": 1,
        "exit_code": 0,
        "draft": str(target),
        "endpoint": draft.endpoint.name,
        "sheet": draft.sheet,
        "header_row": draft.header_row,
        "rows": draft.rows,
        "columns": [
            {
                "column": item.header,
                "field": ".".join(item.path),
                "sure": item.sure,
                "evidence": item.evidence,
                "doubt": item.doubt,
            }
            for item in draft.columns
        ],
        "unmatched": [left.header for left in draft.left],
        "missing": list(draft.missing),
        "notes": list(draft.notes),
        "problems": list(verdict.problems),
        "warnings": list(verdict.warnings),
    }


def _tell(target: "Path", draft: "Draft", verdict: "Verdict", *, quiet: bool) -> None:
    from importer.cli import screen
    from importer.report.words import typed

    out = screen.console()
    out.print(f"Draft: {target}", markup=False)
    if not quiet:
        sure = {item.header for item in draft.columns if item.sure}
        doubtful = [header for header in dict.fromkeys(item.header for item in draft.columns) if header not in sure]
        out.print(
            f"Sheet {draft.sheet}, headers in row {draft.header_row}: {screen.counted(len(sure), 'column')} matched, "
            f"{len(doubtful)} doubtful (behind a #), {len(draft.left)} matching no field.",
            markup=False,
        )
        if doubtful:
            screen.told(out, f"Doubtful, so not sent until you decide: {', '.join(doubtful)}.", 0)
    for text in draft.notes:
        out.print(text, markup=False)
    for text in draft.missing:
        out.print(f"Missing: {text}", markup=False)
    for text in verdict.said:
        out.print(f"check: {text}", markup=False)
    if not verdict.problems:
        out.print(f"check: no problems, {screen.counted(verdict.ready, 'document')} ready.", markup=False)
    if not quiet:
        out.print(f"Read the draft, then: visma-import check {typed(str(target))}", markup=False)


@click.command()
@with_options(
    click.argument("mapping", type=FILE),
    click.option("-o", "--output", type=FILE, required=True, metavar="FILE.xlsx", help="The workbook to make."),
    FORCE,
)
def workbook(mapping: "Path", output: "Path", *, force: bool, as_json: bool, quiet: bool) -> int:
    """Make an empty import workbook from a mapping.

    With headers, formats, drop-downs and instructions.
    """
    from importer import blank
    from importer.atomic_file import replacing
    from importer.blank_mark import mark_of
    from importer.cli import screen
    from importer.cli.inputs import print_json
    from importer.cli.outputs import refuse_losing, refuse_overwriting
    from importer.mapping_file import read_mapping

    if output.suffix.lower() != ".xlsx":
        raise UsageError(f"-o {str(output)!r}: the name must end in .xlsx.")
    parsed = read_mapping(mapping)
    refuse_losing(output, [mapping])
    refuse_overwriting(output, force=force)
    with replacing(output) as partial:
        columns = blank.write(parsed, partial)
    must = [column.header for column in columns if column.mandatory]
    if as_json:
        version, headers = mark_of(parsed).version, [column.header for column in columns]
        data = {"mapping": parsed.name, "version": version, "columns": headers, "mandatory": must}
        print_json({"format_version": 1, "exit_code": 0, "workbook": str(output), **data})
    else:
        out = screen.console()
        out.print(f"Workbook: {output}", markup=False)
        if not quiet:
            out.print(f"{screen.counted(len(columns), 'column')}; must be filled in: {', '.join(must)}", markup=False)
    return 0
