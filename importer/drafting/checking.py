"""Check a draft as `check` would, before anybody reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from importer.errors import MappingError
from importer.mapping_file import read_mapping
from importer.model import Problem
from importer.plan import make_plan
from importer.workbook import Sheet
from importer.yamlfile import FileFault

#: As many different problems stand on top of a draft.
_MOST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Hold what `check` says of a draft: problems and warnings in one line each, those alike together."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: how many documents are ready
    ready: int = 0

    @property
    def said(self) -> tuple[str, ...]:
        """Return the first lines, for the top of the draft."""
        lines = (*self.problems, *(f"warning: {text}" for text in self.warnings))
        more = (f"... and {len(lines) - _MOST} more: visma-import check lists them",) if len(lines) > _MOST else ()
        return (*lines[:_MOST], *more)


def check_draft(file: Path, name: str, sheet: Sheet) -> Verdict:
    """Return what is wrong with a drafted mapping and with the sheet under it."""
    try:
        mapping = read_mapping(file, name)
        plan = make_plan(mapping, sheet, {})
    except MappingError as error:
        faults = [fault.message for fault in error.errors if isinstance(fault, FileFault)]
        return Verdict(problems=tuple(faults or [str(error)]))
    return Verdict(
        problems=_lines(plan.problems, sheet),
        warnings=_lines(plan.warnings, sheet),
        ready=sum(document.status is None for document in plan.documents),
    )


def _lines(found: Sequence[Problem], sheet: Sheet) -> tuple[str, ...]:
    """Write problems in one line each; those of one column and kind with the first place and how many more."""
    alike: dict[tuple[str | None, str], list[Problem]] = {}
    for problem in found:
        alike.setdefault((problem.column, problem.code), []).append(problem)
    return tuple(_line(group, sheet) for group in alike.values())


def _line(group: Sequence[Problem], sheet: Sheet) -> str:
    first = group[0]
    where = ""
    if first.row is not None:
        known = first.column in sheet.columns
        where = sheet.address(str(first.column), first.row) if known else f"row {first.row}"
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    place = ", ".join(filter(None, [first.column, f"{where}{more}"]))
    return f"{place}: {first.message}" if place else first.message
