"""What a command was given: mapping, workbook and parameters, read into the plan that check and run share."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from importer import workbook as workbooks
from importer.causes import Catalogue, language_of, load_causes
from importer.cli import screen
from importer.cli.stream import say
from importer.errors import StartError, UsageError, WorkbookError, advice_for
from importer.jsontext import plain
from importer.mapping import Mapping, parameter_values
from importer.mapping_file import read_mapping
from importer.model import Status, Total
from importer.plan import Plan, Selection, make_plan
from importer.project import Project
from importer.values import clean
from importer.yamlfile import did_you_mean


@dataclass(frozen=True, slots=True)
class Input:
    """Hold what a command was given, read and planned."""

    mapping: Mapping
    workbook: Path
    #: SHA-256 of the workbook when it was read
    digest: str
    plan: Plan
    #: what is known of the API's refusals, the mapping folder's own causes.yaml first
    causes: Catalogue

    @property
    def language(self) -> str:
        """Return the language of causes and advice: the one of the mapping's locale."""
        locale = self.mapping.workbook.locale
        return language_of(locale.name if locale else None)


def read_input(
    mapping: Path, workbook: Path | None, param: tuple[str, ...], limit: int | None, only: tuple[str, ...]
) -> Input:
    """Read mapping and workbook and make the plan: what is shown is what is sent.

    Raises: UsageError, MappingError, WorkbookError.
    """
    parsed = read_mapping(mapping)
    values = parameter_values(parsed, _pairs(param))
    causes = load_causes(parsed.source.path.parent)
    file = workbook or parsed.workbook.file
    if file is None:
        raise UsageError("Name the workbook: on the command line after the mapping, or in it under workbook: file.")
    digest = workbooks.sha256(file)
    sheet = workbooks.read(file, sheet=parsed.workbook.sheet, header_row=parsed.workbook.header_row)
    selection = Selection(limit=limit, only=frozenset(clean(key) for key in only))
    plan = make_plan(parsed, sheet, values, selection)
    keys = [document.key for document in plan.documents if document.key is not None]
    for key in sorted(selection.only - set(keys)):
        hint = did_you_mean(key, keys)
        raise UsageError(f"--only: the workbook has no document with the key {key!r}. {hint}".rstrip())
    return Input(parsed, file, digest, plan, causes)


def _pairs(params: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--param takes NAME=VALUE, not {text!r}.")
        if name.strip() in pairs:
            raise UsageError(f"--param {name.strip()} is given twice. Give it once.")
        pairs[name.strip()] = value
    return pairs


def keep_workbook(found: Input, project: Project) -> None:
    """Copy the workbook into the project's private folder, from which its report can be rebuilt.

    Raises: WorkbookError when it is no longer what was read; StartError when the folder cannot be written.
    """
    try:
        project.make_private()
        digest = project.keep_workbook(found.workbook)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StartError(
            f"The folder {str(project.private)!r} cannot be written ({reason}); nothing was sent. {advice_for(error)}"
        ) from None
    if digest != found.digest:
        raise WorkbookError(f"{found.workbook.name!r} was changed while it was being read. Save it, then run again.")


def text_of(name: str) -> str:
    """Return a file's name as text that can be stored and sent, whatever bytes it has."""
    return name.encode("utf-8", "backslashreplace").decode()


def print_json(data: Any) -> None:
    """Print JSON for programs."""
    say(json.dumps(data, ensure_ascii=False, indent=1))


def check_data(found: Input, code: int) -> dict[str, Any]:
    """Return what `check --json` prints."""
    plan = found.plan
    ready = sum(document.status is None for document in plan.documents)
    counts = {
        status.value: sum(document.status is status for document in plan.documents)
        for status in (Status.INVALID, Status.FILTERED)
    }
    return {
        "format_version": 1,
        "exit_code": code,
        "mapping": found.mapping.name,
        "endpoint": found.mapping.endpoint.name,
        "workbook": {"name": text_of(found.workbook.name), "sha256": found.digest},
        "sheet": plan.sheet.name,
        "rows_read": plan.rows_read,
        "documents": {"ready": ready, **counts},
        "totals": [_total(total) for total in plan.totals],
        "errors": [],
        "problems": [asdict(problem) for problem in plan.problems],
        "warnings": [asdict(problem) for problem in plan.warnings],
    }


def _total(total: Total) -> dict[str, str | None]:
    return {
        "name": total.name,
        "sum": None if total.sum is None else plain(total.sum),
        "expect": None if total.expect is None else plain(total.expect),
    }


def show_check(found: Input, report_folder: Path | None, *, quiet: bool) -> None:
    """Print what `check` found, for people."""
    out, plan = screen.console(), found.plan
    screen.plan_problems(out, plan.problems, plan.warnings, plan.sheet.headers, quiet=quiet)
    data = check_data(found, 0)["documents"]
    out.print(
        f"{found.workbook.name}, sheet {plan.sheet.name}: {plan.rows_read} rows, {data['ready']} documents ready, "
        f"{data['invalid']} invalid, {data['filtered']} left out.",
        markup=False,
    )
    screen.inserted(out, found.mapping.endpoint, plan.documents)
    screen.totals(out, plan.totals)
    if report_folder is not None:
        out.print(f"Report: {report_folder}", markup=False)
    count = len(plan.problems)
    out.print(f"{screen.counted(count, 'problem')}. Correct them and check again." if count else "No problems.")


def refuse_to_start(found: Input, *, as_json: bool, quiet: bool) -> int:
    """Show why a run does not start; return its exit code."""
    plan = found.plan
    if as_json:
        print_json(check_data(found, StartError.exit_code))
        return StartError.exit_code
    out = screen.console()
    screen.plan_problems(out, plan.problems, plan.warnings, plan.sheet.headers, quiet=quiet)
    good = sum(document.status is None for document in plan.documents)
    hint = "" if plan.held or not good else f" --skip-invalid sends the {good} good documents all the same."
    out.print(
        f"{screen.counted(len(plan.problems), 'problem')}, so nothing was sent. Correct them and run again.{hint}"
    )
    return StartError.exit_code
