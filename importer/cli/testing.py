"""Declare the command that runs tests of mappings, and show how they ended."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from importer.cli.options import FILE, with_options
from importer.cli.stream import printable
from importer.errors import StartError

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from importer.mapping_tests import CaseResult, FileResult
    from importer.yamlfile import FileFault

#: When tests fail, as when documents do.
_FAILED: Final = 4
_COLOURS: Final = {"-": "red", "+": "green", "@": "cyan"}


@click.command()
@with_options(
    click.argument("paths", nargs=-1, metavar="[PATH]...", type=FILE),
    click.option("--mappings", is_flag=True, help="Only read the mappings among the PATHs, with their templates."),
)
def test(paths: "tuple[Path, ...]", *, mappings: bool, as_json: bool, quiet: bool) -> int:
    """Run tests of mappings.

    Those are the *.test.yaml files in folders (default: this one), named, or about a mapping. Opens no connection and
    no workbook.
    """
    from pathlib import Path

    from importer import mapping_tests

    places = paths or (Path(),)
    results: list[FileResult] = []
    good: list[Path] = []
    if mappings:
        found = mapping_tests.find_mappings(places)
        for file in found.files:
            wrong = mapping_tests.read_alone(file)
            found.faults += wrong
            good += [] if wrong else [file]
    else:
        found = mapping_tests.find_tests(places)
        results = [mapping_tests.run_file(file) for file in found.files]
    faults = [*found.faults, *(fault for result in results for fault in result.faults)]
    code = _code(results, faults)
    if as_json:
        from importer.cli.inputs import print_json

        print_json(_data(results, faults, good, code))
    else:
        _show(results, faults)
        if not quiet or code:
            _count(results, good, faults, mappings=mappings)
    return code


def _code(results: Sequence["FileResult"], faults: Sequence["FileFault"]) -> int:
    if faults:
        return StartError.exit_code
    return 0 if all(case.passed for result in results for case in result.cases) else _FAILED


def _data(
    results: Sequence["FileResult"], faults: Sequence["FileFault"], good: "Sequence[Path]", code: int
) -> dict[str, Any]:
    """Return what `test --json` prints."""
    from importer.cli.inputs import fault_row, text_of

    passed, failed = _passed_and_failed(results)
    return {
        "format_version": 1,
        "exit_code": code,
        "passed": passed,
        "failed": failed,
        "errors": [fault_row(fault) for fault in faults],
        "mappings": [text_of(str(file)) for file in good],
        "files": [
            {
                "file": text_of(str(result.file)),
                "mapping": text_of(str(result.mapping)),
                "tests": [_case_row(case) for case in result.cases],
            }
            for result in results
            if result.mapping is not None
        ],
    }


def _case_row(case: "CaseResult") -> dict[str, Any]:
    failures = [
        {
            "kind": failure.kind,
            "key": failure.key,
            "line": failure.line,
            "message": failure.message,
            "diff": "\n".join(failure.diff),
        }
        for failure in case.failures
    ]
    return {"name": case.name, "line": case.line, "passed": case.passed, "failures": failures}


def _passed_and_failed(results: Sequence["FileResult"]) -> tuple[int, int]:
    ended = [case.passed for result in results for case in result.cases]
    return sum(ended), len(ended) - sum(ended)


def _show(results: Sequence["FileResult"], faults: Sequence["FileFault"]) -> None:
    """Print the tests that failed, then what could not be read."""
    from importer.cli import screen

    out = screen.console()
    for result in results:
        for case in result.cases:
            if not case.passed:
                _show_case(out, result.file, case)
    for fault in faults:
        out.print(str(fault), markup=False)
        out.print()


def _show_case(out: "Console", file: "Path", case: "CaseResult") -> None:
    from rich.text import Text

    from importer.cli import screen

    out.print(Text(f"FAILED {printable(f'{file}:{case.line}: {case.name}')}", "bold red"))
    for failure in case.failures:
        where = f"document {failure.key}" if failure.key is not None else "rows without a key"
        where = "the sheet" if failure.kind == "sheet" else where
        out.print(f"  {where}, line {failure.line}:", markup=False)
        screen.told(out, failure.message, 4)
        for line in failure.diff:
            colour = _COLOURS.get(line[:1], "")
            out.print(Text(f"    {printable(line)}".rstrip(), colour))
    out.print()


def _count(
    results: Sequence["FileResult"], good: "Sequence[Path]", faults: Sequence["FileFault"], *, mappings: bool
) -> None:
    from importer.cli import screen

    passed, failed = _passed_and_failed(results)
    unused = len({fault.file for fault in faults})
    unread = f" {unused:,} could not be used, as said above." if unused else ""
    if mappings:
        text = f"{screen.counted(len(good), 'mapping')} read without a mistake."
    else:
        text = f"{screen.counted(passed + failed, 'test')} of {screen.counted(len(results), 'file')}: "
        text += f"{passed:,} passed, {failed:,} failed."
    screen.console().print(f"{text}{unread}", markup=False)
