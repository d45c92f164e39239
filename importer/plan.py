"""Make the plan: which documents a workbook gives, what is wrong with them.

Pure: reads no file, opens no socket, asks no journal.
"""

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from importer.bodies import Bodies
from importer.convert import Converter, RowValues
from importer.currencies import other_currencies
from importer.documents import MARK, Rows, document_of, put, references_in
from importer.expression import Blank, param_view
from importer.findings import (
    blank_needed,
    blocking,
    collapse,
    column_problems,
    conflicts,
    hidden_rows,
    mapping_warnings,
    merged_cells,
    mixed_lines,
    needed_rules,
    not_to_be_found,
    repeated_numbers,
    scattered_keys,
    without_columns,
)
from importer.grouping import Cause, causes
from importer.mapping import Mapping, Rule
from importer.model import Document, Fault, FieldValue, Problem, Reference, Row, Status, Total
from importer.oddities import Watch, below_zero, file_notes, hidden_rows_used, near_equal_keys, texts_taken_for_yes
from importer.template import Rendered
from importer.workbook import Sheet

#: Numbers that no company has, to see what a template does with one.
_STAND_INS: Final = 987_650_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Say which documents of the workbook are meant; the others are filtered."""

    limit: int | None = None
    only: frozenset[str] = frozenset()


#: No document is left out.
ALL: Final = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold what a workbook gives: every row is in exactly one document."""

    mapping: Mapping
    sheet: Sheet
    #: in the order of their first rows
    documents: tuple[Document, ...]
    #: of the file or the sheet as a whole: they hold everything
    held: tuple[Problem, ...] = ()
    #: every problem, the file's first; one for a column where its cells all share it
    problems: tuple[Problem, ...] = ()
    #: of all problems, each cell of a column counted
    causes: tuple[Cause, ...] = ()
    warnings: tuple[Problem, ...] = ()
    #: over all rows that no rule filters
    totals: tuple[Total, ...] = ()
    #: rows of the documents that --limit and --only leave out
    unselected: frozenset[int] = frozenset()
    #: rows below the header, down to the last that holds anything
    rows_read: int
    #: True where an earlier run made it, so that there are no bodies, nor rows in the sheet
    taken_up: bool = False


def make_plan(
    mapping: Mapping,
    sheet: Sheet,
    params: Dictionary[str, FieldValue | None],
    selection: Selection = ALL,
    today: date | None = None,
) -> Plan:
    """Return the plan for a sheet, with every problem of it.

    `today` is what dates are held against; without it they are held against each other only.

    Raises: MappingError when the body template cannot be used.
    """
    param = param_view(params)
    bodies = Bodies(mapping, param, sheet.headers)
    missing = column_problems(mapping, sheet)
    usable = without_columns(mapping, sheet) if missing else mapping
    if usable is None:
        rows = tuple(row.number for row in sheet.rows)
        blocked = Document(key=None, rows=rows, status=Status.INVALID, problems=tuple(missing))
        found = tuple(missing)
        grouped = tuple(causes(found, sheet.headers))
        return Plan(
            mapping=mapping,
            sheet=sheet,
            documents=(blocked,),
            held=found,
            problems=found,
            causes=grouped,
            rows_read=len(rows),
        )
    return _Maker(usable, sheet, param, selection, bodies).make(missing, today)


class _Maker:
    """Carry the rows of one sheet from reading to documents."""

    def __init__(
        self,
        mapping: Mapping,
        sheet: Sheet,
        param: Dictionary[str, Any],
        selection: Selection,
        bodies: Bodies,
    ) -> None:
        self.mapping = mapping
        self.sheet = sheet
        self.param = param
        self.selection = selection
        self.bodies = bodies
        self.converter = Converter(mapping, sheet, self.param)
        self.sums: dict[str, Decimal | None] = {total.name: Decimal(0) for total in mapping.totals}
        #: what the rows gave that no rule filters, in their order
        self.rows: list[RowValues] = []
        self.watch = Watch(mapping, sheet)
        #: False where columns are missing, so that a body may be empty for that
        self.whole = True
        self.refers = any(mapping.referred)
        #: what the API needs, with the first rows of the documents without it; a template of one's own may give it
        self.lacking: list[tuple[Rule, list[int]]] = []
        if bodies.template.bundled:
            self.lacking = [(rule, []) for rule in needed_rules(mapping)]

    def make(self, missing: list[Problem], today: date | None) -> Plan:
        filtered: dict[tuple[str | None, str, int], Document] = {}
        groups: dict[tuple[str | None, int], list[RowValues]] = {}
        for row in self.sheet.rows:
            out = self._filtered(row)
            if isinstance(out, Document):
                _merge(filtered, out)
                continue
            values = self.converter.values(row)
            values.problems += [out] if isinstance(out, Problem) else []
            self._add_up(values)
            self.rows.append(values)
            groups.setdefault((values.key, 0 if values.key is not None else row.number), []).append(values)
        self.whole = not missing
        self.watch.see(self.rows)
        documents = [self._document(key, rows) for (key, _), rows in groups.items()]
        documents = repeated_numbers(self.mapping, self.sheet, self._select(documents))
        held = [*missing, *hidden_rows(self.mapping, self.sheet), *merged_cells(self.mapping, self.sheet)]
        totals = self._totals(held, documents)
        chosen = [document for document in documents if document.status is not Status.FILTERED]
        left = [document for document in documents if document.status is Status.FILTERED]
        cells = [*held, *(problem for document in chosen for problem in document.problems)]
        ordered = sorted([*filtered.values(), *documents], key=lambda document: document.rows[0])
        return Plan(
            mapping=self.mapping,
            sheet=self.sheet,
            documents=tuple(ordered),
            held=tuple(held),
            problems=(*held, *collapse(self.sheet, chosen, self._filled)),
            causes=tuple(causes(dict.fromkeys(cells), self.sheet.headers)),
            warnings=self._warnings(chosen, today),
            totals=totals,
            unselected=frozenset(row for document in left for row in document.rows),
            rows_read=len(self.sheet.rows),
        )

    def _warnings(self, chosen: list[Document], today: date | None) -> tuple[Problem, ...]:
        """Return what is odd: about the mapping and the file first, then about documents and columns."""
        ready = {document.rows[0] for document in chosen if document.status is None}
        lacking = [(rule, [row for row in rows if row in ready]) for rule, rows in self.lacking]
        return (
            *mapping_warnings(self.mapping),
            *blank_needed(self.mapping, self.sheet, [(rule, rows) for rule, rows in lacking if rows]),
            *file_notes(self.sheet),
            *hidden_rows_used(self.mapping, self.sheet),
            *not_to_be_found(self.mapping, chosen),
            *scattered_keys(self.sheet, chosen),
            *mixed_lines(self.mapping, self.sheet, chosen),
            *near_equal_keys(self.sheet, chosen),
            *below_zero(self.mapping, self.sheet, chosen),
            *other_currencies(self.mapping, self.sheet, self.rows),
            *texts_taken_for_yes(self.sheet, self.converter.misread),
            *self.watch.warnings(today),
        )

    def _filtered(self, row: Row) -> Document | Problem | None:
        if row.blank:
            return Document(key=None, rows=(row.number,), status=Status.FILTERED, message="The row is blank.")
        if row.hidden and self.mapping.workbook.hidden_rows == "skip":
            return self._left_out(row, "The row is hidden, and the mapping skips hidden rows.")
        passes = self.converter.passes(row)
        if isinstance(passes, Problem):
            return passes
        return None if passes else self._left_out(row, "The mapping's 'where' leaves the row out.")

    def _left_out(self, row: Row, message: str) -> Document:
        return Document(key=self.converter.key(row)[0], rows=(row.number,), status=Status.FILTERED, message=message)

    def _filled(self, header: str) -> int:
        spot = self.sheet.columns[header]
        return sum(spot < len(values.row.cells) and values.row.cells[spot] is not None for values in self.rows)

    def _add_up(self, values: RowValues) -> None:
        for total in self.mapping.totals:
            number = self.converter.number(values.row, total.column)
            if isinstance(number, Problem):
                self.sums[total.name] = None
                values.problems += [number] if not _told(values.problems, number) else []
            else:
                before = self.sums[total.name]
                self.sums[total.name] = None if before is None else before + number

    def _document(self, key: str | None, rows: list[RowValues]) -> Document:
        problems = [problem for values in rows for problem in values.problems]
        problems += conflicts(self.mapping, self.sheet, rows)
        numbers = tuple(values.row.number for values in rows)
        if problems:
            return Document(key=key, rows=numbers, status=Status.INVALID, problems=tuple(problems))
        for rule, without in self.lacking:
            if rule.target not in rows[0].fields:
                without.append(numbers[0])
        rendered = self.bodies.make(key, rows)
        if isinstance(rendered, list):
            faults = [
                Problem(
                    sheet=self.sheet.name,
                    row=fault.row or numbers[0],
                    column=fault.column,
                    value=fault.value,
                    code=fault.code,
                    message=f"Document {key!r}: {fault.message}",
                )
                for fault in rendered
            ]
            return Document(key=key, rows=numbers, status=Status.INVALID, problems=tuple(faults))
        if rendered.data == {} and self.mapping.endpoint.kind != "action" and self.whole:
            problem = Problem(
                sheet=self.sheet.name,
                row=numbers[0],
                code="empty",
                message=f"Document {key!r} holds nothing that could be sent. Fill its cells, or leave the row out.",
            )
            return Document(key=key, rows=numbers, status=Status.INVALID, problems=(problem,))
        found: list[Reference] = []
        if self.refers:
            found = [value for values in rows for value in values.all if isinstance(value, Reference)]
        if found and not self._kept(key, rows, rendered, found):
            return Document(key=key, rows=numbers, status=Status.INVALID, problems=(self._changed(key, numbers[0]),))
        references = references_in(rendered.data, found)
        endpoint = self.mapping.endpoint
        return document_of(endpoint, Rows(key, numbers), rendered, references, sent=self.bodies.any_fields)

    def _kept(self, key: str | None, rows: list[RowValues], rendered: Rendered, found: list[Reference]) -> bool:
        """Tell whether a body holds what stands for numbers just where the numbers will stand.

        Rendered again with numbers it must be the same but for these. A bundled template changes nothing, so that this
        is only asked where a text of the sheet looks like a reference.
        """
        if self.bodies.template.bundled and not any(_looks_like_one(values) for values in rows):
            return True
        others = {one: str(_STAND_INS + place) for place, one in enumerate(dict.fromkeys(found))}
        again = self.bodies.make(key, rows, others)
        return isinstance(again, Rendered) and again.data == put(rendered.data, others)

    def _changed(self, key: str | None, row: int) -> Problem:
        culprit = (
            "a cell looks like" if self.bodies.template.bundled else f"the template {self.mapping.template} changes"
        )
        advice = "Write the cell otherwise." if self.bodies.template.bundled else "Let it stand as it is."
        return Problem(
            sheet=self.sheet.name,
            row=row,
            code="reference_changed",
            message=(
                f"Document {key!r}: {culprit} what stands for the number of another document until that is known. "
                f"{advice}"
            ),
        )

    def _select(self, documents: list[Document]) -> list[Document]:
        """Leave out what --limit and --only do not mean; its problems hold nothing back."""
        limit, only = self.selection.limit, self.selection.only
        if limit is None and not only:
            return documents
        result: list[Document] = []
        taken = 0
        for document in documents:
            if (only and document.key not in only) or (limit is not None and taken >= limit):
                message = "Left out by --only." if only and document.key not in only else "Left out by --limit."
                document = Document(key=document.key, rows=document.rows, status=Status.FILTERED, message=message)  # noqa: PLW2901
            else:
                taken += 1
            result.append(document)
        return result

    def _totals(self, held: list[Problem], documents: list[Document]) -> tuple[Total, ...]:
        totals: list[Total] = []
        blocked = any(document.problems for document in documents)
        for spec in self.mapping.totals:
            expect = spec.expect.evaluate({}, self.param) if spec.expect else None
            absent = spec.expect is not None and any(isinstance(self.param.get(n), Blank) for n in spec.expect.params)
            wanted = expect if isinstance(expect, Decimal) and not absent else None
            total = Total(name=spec.name, column=spec.column, sum=self.sums[spec.name], expect=wanted)
            totals.append(total)
            if spec.expect and wanted is None and not absent:
                found = expect.message.rstrip(".") if isinstance(expect, Fault) else str(expect)
                held.append(_expectation(self.sheet, total, found))
            elif not total.agrees and not (total.sum is None and not blocked):
                held.append(_mismatch(self.sheet, total))
        return tuple(totals)


def _looks_like_one(values: RowValues) -> bool:
    """Tell whether a cell or a constant holds what a reference begins with."""
    own = (value for value in values.all if not isinstance(value, Reference))
    return any(isinstance(text, str) and MARK in text for text in (*values.row.cells, *own))


def _merge(filtered: dict[tuple[str | None, str, int], Document], new: Document) -> None:
    """Add a row that was left out; rows of one key and one reason are one document."""
    spot = (new.key, new.message, 0 if new.key is not None else new.rows[0])
    before = filtered.get(spot)
    filtered[spot] = replace(new, rows=before.rows + new.rows) if before else new


def _told(problems: list[Problem], new: Problem) -> bool:
    return any((old.row, old.column, old.value) == (new.row, new.column, new.value) for old in problems)


def _expectation(sheet: Sheet, total: Total, found: str) -> Problem:
    message = (
        f"What the total {total.name!r} expects is not a number ({found}). Write a number or {{{{ param.name }}}}."
    )
    return Problem(sheet=sheet.name, column=total.column, code="total_expectation", message=message)


def _mismatch(sheet: Sheet, total: Total) -> Problem:
    found = "cannot be added up" if total.sum is None else f"is {total.sum:f}"
    gap = "" if total.sum is None or total.expect is None else f", a difference of {total.sum - total.expect:f}"
    return Problem(
        sheet=sheet.name,
        column=total.column,
        value=None if total.sum is None else f"{total.sum:f}",
        code="total_mismatch",
        message=(
            f"The total {total.name!r} {found}, but {total.expect:f} is expected{gap}. "
            "Nothing is sent until they agree."
        ),
    )


def held_back(plan: Plan, *, skip_invalid: bool) -> bool:
    """Tell whether problems keep the whole run from starting."""
    return bool(plan.held) or (not skip_invalid and blocking(plan.documents))
