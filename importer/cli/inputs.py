"""What a command was given: mapping, workbook and parameters, read into the plan that check and run share."""

import json
from collections import Counter
from collections.abc import Mapping as Dictionary
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from importer import workbook as workbooks
from importer.blank_mark import carried_mark, outdated
from importer.causes import Catalogue, language_of, load_causes
from importer.cli.stream import say
from importer.errors import UsageError, WorkbookError
from importer.grouping import Cause
from importer.jsontext import plain
from importer.mapping import Mapping, parameter_values
from importer.mapping_file import read_mapping
from importer.model import Status, Total
from importer.plan import ALL, Plan, Selection, make_plan
from importer.project import Project, project_of
from importer.references import origins
from importer.yamlfile import did_you_mean

if TYPE_CHECKING:
    from importer.cli.recalling import Earlier

#: As many places of a cause are listed; its problems name all of them.
_MAX_PLACES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold the options that every command has."""

    json: bool
    quiet: bool


@dataclass(frozen=True, slots=True)
class Input:
    """Hold what a command was given, read and planned."""

    mapping: Mapping
    workbook: Path
    #: SHA-256 of the workbook when it was read
    digest: str
    plan: Plan
    #: tells what the plan is made of (kept_plan.py); empty where it is none of a whole workbook that may be kept
    made_of: str
    #: what is known of the API's refusals, the mapping folder's own causes.yaml first
    causes: Catalogue
    #: endpoints that make the documents the mapping refers to, by name
    origins: Dictionary[str, str] = field(default_factory=dict)

    @property
    def language(self) -> str:
        """Return the language of causes and advice: the one of the mapping's locale."""
        locale = self.mapping.workbook.locale
        return language_of(locale.name if locale else None)


def read_input(
    mapping: Path,
    workbook: Path | None,
    param: tuple[str, ...] = (),
    selection: Selection = ALL,
    *,
    also: Dictionary[str, str] | None = None,
    folder: Path | None = None,
    steps: Dictionary[str, str] | None = None,
    earlier: "Earlier | None" = None,
) -> Input:
    """Read mapping and workbook and make the plan: what is shown is what is sent.

    `also` are parameters that count where the mapping declares them, before those of `param`. `folder` is the
    project's, by default the mapping's; `steps` are the endpoints of the steps before it in a sequence, by name.
    `earlier` knows the plan of an earlier run, which is taken up where nothing of it is left to be sent.

    Raises: UsageError, MappingError, WorkbookError.
    """
    parsed = read_mapping(mapping)
    origin = origins(parsed, folder or project_of(mapping.parent).folder, steps or {})
    besides = {name: value for name, value in (also or {}).items() if name in parsed.parameters}
    values = parameter_values(parsed, {**pairs(param), **besides})
    known = load_causes(parsed.source.path.parent)
    file = workbook or parsed.workbook.file
    if file is None:
        raise UsageError("Name the workbook: on the command line after the mapping, or in it under workbook: file.")
    digest, today = workbooks.sha256(file), datetime.now(UTC).date()
    made = earlier.made_of(parsed, file, digest, values, today) if earlier and selection == ALL else ""
    taken_up = earlier.take_up(parsed, file, digest, made) if earlier and made else None
    if taken_up is not None:
        return Input(parsed, file, digest, taken_up, made, known, origin)
    spec = parsed.workbook
    sheet = workbooks.read(
        file, sheet=spec.sheet, header_row=spec.header_row, encoding=spec.encoding, delimiter=spec.delimiter
    )
    plan = make_plan(parsed, sheet, values, selection, today=today)
    plan = replace(plan, warnings=(*outdated(parsed, carried_mark(file)), *plan.warnings))
    if earlier and made and made != earlier.made_of(parsed, file, digest, values, today):
        # a template was saved meanwhile
        made = ""
    keys = [document.key for document in plan.documents if document.key is not None]
    for key in sorted(selection.only - set(keys)):
        hint = did_you_mean(key, keys)
        raise UsageError(f"--only: the workbook has no document with the key {key!r}. {hint}".rstrip())
    return Input(parsed, file, digest, plan, made, known, origin)


def pairs(params: tuple[str, ...]) -> dict[str, str]:
    """Return parameters as the command line gives them, `NAME=VALUE`, by name."""
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
    project.make_private()
    try:
        digest = project.keep_workbook(found.workbook)
        if found.plan.sheet.layout is not None:
            # the copy of a text file does not tell how the mapping said it is to be read
            workbooks.layout_file(project.workbook_copy(digest)).write_text(
                found.plan.sheet.layout.dump(), encoding="utf-8"
            )
    except OSError as error:
        raise project.unwritable(error) from None
    if digest != found.digest:
        raise WorkbookError(f"{found.workbook.name!r} was changed while it was being read. Save it, then run again.")


def text_of(name: str) -> str:
    """Return a file's name as text that can be stored and sent, whatever bytes it has."""
    return name.encode("utf-8", "backslashreplace").decode()


def print_json(data: Any) -> None:
    """Print JSON for programs; no value in it is a command to the runner of a job."""
    text = json.dumps(data, ensure_ascii=False, indent=1)
    # stands within a value, so that its escape is read back as the same
    say(text.replace("##[", "#\\u0023[").replace("##vso[", "#\\u0023vso["))


def fault_row(fault: Any) -> dict[str, Any]:
    """Return what is wrong at one place of a file, for programs."""
    mark = fault.mark
    return {
        "file": fault.file,
        "line": mark.line if mark else None,
        "position": mark.column if mark else None,
        "message": fault.message,
        "hint": fault.hint,
    }


def check_data(found: Input, code: int) -> dict[str, Any]:
    """Return what `check --json` prints."""
    plan = found.plan
    return {
        "format_version": 1,
        "exit_code": code,
        "mapping": found.mapping.name,
        "endpoint": found.mapping.endpoint.name,
        "workbook": {"name": text_of(found.workbook.name), "sha256": found.digest},
        "sheet": plan.sheet.name,
        "rows_read": plan.rows_read,
        "documents": document_counts(plan),
        "totals": [_total(total) for total in plan.totals],
        "errors": [],
        "causes": [_cause(cause) for cause in plan.causes],
        "problems": [asdict(problem) for problem in plan.problems],
        "warnings": [asdict(problem) for problem in plan.warnings],
    }


def document_counts(plan: Plan) -> dict[str, int]:
    """Count the documents of a plan that are ready, invalid and left out."""
    found = Counter(document.status for document in plan.documents)
    return {"ready": found[None], **{status.value: found[status] for status in (Status.INVALID, Status.FILTERED)}}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "code": cause.code,
        "title": cause.title,
        "column": cause.column,
        "count": cause.count,
        "places": list(cause.places[:_MAX_PLACES]),
    }


def _total(total: Total) -> dict[str, str | None]:
    return {
        "name": total.name,
        "sum": None if total.sum is None else plain(total.sum),
        "expect": None if total.expect is None else plain(total.expect),
    }
