"""Tell the service that runs a job what to show beside the mapping: mistakes, problems and what became of documents.

A service shows ten of a kind: what has one cause is one annotation, which names the first document and counts the rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from importer.allowance import allowed_in
from importer.errors import ImportFailed
from importer.findings import row_list, uses
from importer.grouping import letters, ranges, title_of
from importer.mapping import Mapping
from importer.model import Document, Outcome, Problem, RunRecord, Status
from importer.plan import Plan
from importer.report.contents import contents
from importer.report.troubles import Trouble, troubles
from importer.report.words import document_message, label
from importer.yamlfile import FileFault, Mark

#: As many of a kind as GitHub shows for one step.
MOST: Final = 10
_MAX_TEXT: Final = 2_000
_MAX_PLACES: Final = 5
_MAX_KEYS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """Hold one remark on a line of a file."""

    title: str
    text: str
    #: errors make nothing fail by themselves: the exit code does
    warning: bool = False
    file: Path | None = None
    mark: Mark | None = None


def of_failure(error: ImportFailed) -> list[Annotation]:
    """Return what kept a command from doing anything: each mistake in a mapping at its line."""
    faults = [fault for fault in getattr(error, "errors", ()) if isinstance(fault, FileFault)]
    if not faults:
        return [Annotation(title=f"visma-import ended with exit code {error.exit_code}", text=str(error))]
    return [
        Annotation(
            title="Mistake in the mapping",
            text=" ".join(filter(None, [fault.message, fault.hint])),
            file=Path(fault.file),
            mark=fault.mark,
        )
        for fault in faults
    ]


def left_green(record: RunRecord) -> frozenset[Status]:
    """Return the statuses whose documents were allowed to be left and did not fail the run."""
    return frozenset(allowed_in(record)) if record.exit_code == 0 else frozenset()


def of_plan(mapping: Mapping, plan: Plan, *, harmless: bool = False) -> list[Annotation]:
    """Return the problems of a plan, then its warnings, each cause at the rule that reads its column.

    The plan's own mapping may lack what the sheet has no column for. `harmless` problems are warnings: they were
    allowed.
    """
    owners = {id(problem): document for document in plan.documents for problem in document.problems}
    problems = [_cause(mapping, plan, found, owners, warning=harmless) for found in _alike(_cells(plan))]
    warnings = [_cause(mapping, plan, found, owners, warning=True) for found in _alike(plan.warnings)]
    return [*problems, *warnings]


def of_outcomes(
    mapping: Mapping, record: RunRecord, outcomes: Sequence[Outcome], *, planned: bool = False
) -> list[Annotation]:
    """Return what became of the documents that are not done with, each cause at the mapping's key.

    What is invalid is left to the plan. In a plan (`planned`) what is not sent yet is to be sent. Failures that were
    allowed and did not fail the run are warnings.
    """
    told_by = contents(record, outcomes)
    kept = left_green(record)
    others = {Status.INVALID, Status.NOT_SENT} if planned else {Status.INVALID}
    found = [one for one in troubles(told_by) if one.status not in others and one.positions]
    placed = {outcome.position: outcome for outcome in told_by.outcomes}
    told = [_trouble(mapping, record, one, placed, warning=one.status in kept) for one in found]
    if record.stopped:
        told.insert(0, Annotation(title="The run stopped early", text=record.stopped, file=mapping.source.path))
    return told


def capped(found: Iterable[Annotation], where: str) -> Iterator[Annotation]:
    """Yield as many annotations of each kind as are shown; the last says how many more are `where`."""
    listed = list(found)
    for warning in (False, True):
        kind = [one for one in listed if one.warning is warning]
        if len(kind) <= MOST:
            yield from kind
            continue
        yield from kind[: MOST - 1]
        left = len(kind) - MOST + 1
        title = f"{left} more {'warnings' if warning else 'causes'}"
        yield Annotation(
            title=title, text=f"{title.capitalize()} are not shown here: {where}.", warning=warning, file=kind[0].file
        )


def _cells(plan: Plan) -> list[Problem]:
    """Return every problem of a plan by itself, also those that are told once for a whole column."""
    own = (problem for document in plan.documents for problem in document.problems)
    return list(dict.fromkeys([*plan.held, *own]))


def _alike(problems: Iterable[Problem]) -> Iterator[list[Problem]]:
    groups: dict[tuple[str, str | None], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.code, problem.column), []).append(problem)
    yield from groups.values()


def _cause(
    mapping: Mapping, plan: Plan, found: list[Problem], owners: dict[int, Document], *, warning: bool
) -> Annotation:
    first = found[0]
    letter = letters(plan.sheet.headers).get(first.column or "")
    owner = owners.get(id(first))
    told = [f"Document {owner.key!r}" if owner and owner.key is not None else "", *_cell(first, letter)]
    text = ": ".join(filter(None, [", ".join(filter(None, told)), first.message]))
    places = ranges((problem.row for problem in found[1:]), letter)
    if len(found) > 1:
        listed = ", ".join(places[:_MAX_PLACES]) + (" ..." if len(places) > _MAX_PLACES else "")
        text += f" And {len(found) - 1:,} more{f': {listed}' if listed else ''}."
    title = title_of(first.code) + (f": {first.column}" if first.column else "")
    return Annotation(title=title, text=text, warning=warning, file=mapping.source.path, mark=_mark(mapping, first))


def _cell(problem: Problem, letter: str | None) -> Iterator[str]:
    """Yield where a problem is: sheet and cell, or row, the column's header, the value."""
    if problem.row is not None:
        sheet = f"{problem.sheet}!" if letter and problem.sheet else f"{problem.sheet or ''} "
        yield f"{sheet}{letter}{problem.row}" if letter else f"{sheet}row {problem.row}".strip()
    elif problem.sheet:
        yield problem.sheet
    if problem.column:
        yield f"column {problem.column!r}"
    if problem.value is not None and repr(problem.value) not in problem.message:
        yield f"value {problem.value[:80]!r}"


def _mark(mapping: Mapping, problem: Problem) -> Mark | None:
    """Return where the mapping reads a problem's column; the key's place where no one column is to blame."""
    about_totals = problem.code in {"total_mismatch", "total_expectation"}
    places = [place for header, place in uses(mapping) if header == problem.column]
    chosen = [place for place in places if (place[0] == "totals") is about_totals] or places
    if not chosen:
        # where the file does not say what hidden rows do, its part about the workbook is the nearest place
        chosen = [("workbook", "hidden_rows")] if problem.code == "hidden_rows" else [mapping.key.place]
    marks, (place, *_) = mapping.source.marks, chosen
    # in the short form the field's own value is the header
    return marks.get(place) or marks.get(place[:-1]) or mapping.source.fault(place, "").mark


def _trouble(
    mapping: Mapping, record: RunRecord, one: Trouble, outcomes: Dictionary[int, Outcome], *, warning: bool
) -> Annotation:
    members = [outcomes[position] for position in one.positions]
    first, *others = members
    keys = [repr(outcome.key) for outcome in others if outcome.key is not None]
    listed = ", ".join(keys[:_MAX_KEYS]) + (" ..." if len(keys) > _MAX_KEYS else "")
    more = f" And {len(others):,} more: {listed}." if others else ""
    key = "A row without a key" if first.key is None else f"Document {first.key!r}"
    return Annotation(
        title=f"{label(one.status)}: {one.title}",
        text=f"{key} ({record.sheet} {row_list(first.rows)}): {_fitted(document_message(first))}{more}",
        warning=warning,
        file=mapping.source.path,
        mark=mapping.source.fault(mapping.key.place, "").mark,
    )


def _fitted(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]} ..."
