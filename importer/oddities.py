"""Notice what is not wrong but odd, so that somebody looks before it is sent. Pure.

Nothing here holds anything back: each finding is a warning.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from importer.convert import RowValues
from importer.expect import Expectation, below_nothing
from importer.fields import Kind
from importer.findings import row_list
from importer.mapping import Mapping, Rule
from importer.misread import Misread
from importer.model import Document, Problem, Status
from importer.workbook import Sheet

#: Dates farther than this from the rest, or a column of them from today, are odd. The two date systems of Excel lie
#: four years apart, so that a mix-up of them is noticed.
_YEARS: Final = 3
_DAYS_A_YEAR: Final = 365.25
#: In fewer rows than this a blank cell tells nothing about its column.
_FEW: Final = 4
_DATES: Final = frozenset({Kind.DATE, Kind.DATETIME})


@dataclass
class Watch:
    """Look at the rows of one sheet once they are converted."""

    mapping: Mapping
    sheet: Sheet
    _dates: dict[str, dict[date, list[int]]] = field(default_factory=dict, init=False)
    _blank: dict[str, list[int]] = field(default_factory=dict, init=False)
    _filled: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        columns = self.sheet.columns
        rules = [*((rule, False) for rule in self.mapping.fields), *((rule, True) for rule in self.mapping.lines)]
        known = [(rule, of_line) for rule, of_line in rules if rule.column is not None and rule.column in columns]
        self._date_rules = [(rule, of_line) for rule, of_line in known if rule.options.kind in _DATES]
        self._optional = {
            str(rule.column): (columns[str(rule.column)], of_line)
            for rule, of_line in known
            if rule.column != self.mapping.key.column and not self._settled(rule)
        }

    def _settled(self, rule: Rule) -> bool:
        """Tell whether the mapping says what a blank cell means: by `blank`, `required` or `default`."""
        in_list = any(isinstance(step, int) for step in rule.target)
        said = (*rule.place, "blank") in self.mapping.source.marks
        return said or in_list or rule.default is not None or rule.blank != "omit"

    def see(self, rows: Sequence[RowValues]) -> None:
        """Take note of all rows."""
        for rule, of_line in self._date_rules:
            days = self._dates.setdefault(str(rule.column), {})
            for values in rows:
                source = values.line if of_line else values.fields
                day = source.get(rule.target) if source else None
                if isinstance(day, date):
                    day = day.date() if isinstance(day, datetime) else day
                    days.setdefault(day, []).append(values.row.number)
        lines = [values.row for values in rows if values.line is not None]
        every = [values.row for values in rows]
        for header, (spot, of_line) in self._optional.items():
            looked = lines if of_line else every
            self._blank[header] = [row.number for row in looked if spot >= len(row.cells) or row.cells[spot] is None]
            self._filled[header] = len(looked) - len(self._blank[header])

    def warnings(self, today: date | None) -> list[Problem]:
        """Return what is odd about the columns; without a day for today, dates are held against each other only."""
        dates = {header: days for header, days in self._dates.items() if days}
        found = [problem for header, days in dates.items() for problem in self._odd_dates(header, days, today)]
        return [*found, *self._half_empty()]

    def _odd_dates(self, header: str, days: dict[date, list[int]], today: date | None) -> Iterable[Problem]:
        middle = _median(days)
        if today is not None and _years(middle, today) > _YEARS:
            message = (
                f"Most dates of the column {header!r} lie around {middle:%Y-%m}, {_apart(middle, today)} today. Check "
                "that the year is right."
            )
            first = min(row for rows in days.values() for row in rows)
            yield Problem(sheet=self.sheet.name, row=first, column=header, code="odd_date", message=message)
        for day, rows in days.items():
            if _years(day, middle) <= _YEARS:
                continue
            for row in dict.fromkeys(rows):
                message = f"{day} is {_apart(day, middle)} the other dates of the column. Check that the year is right."
                yield Problem(
                    sheet=self.sheet.name, row=row, column=header, value=str(day), code="odd_date", message=message
                )

    def _half_empty(self) -> Iterable[Problem]:
        for header, rows in self._blank.items():
            filled = self._filled[header]
            if not rows or filled < max(len(rows), _FEW):
                continue
            message = (
                f"The column {header!r} is filled in {filled} rows and blank in {len(rows)} ({row_list(rows)}). Check "
                "that nothing was forgotten; where blanks are meant, say blank: omit in the mapping."
            )
            yield Problem(sheet=self.sheet.name, row=rows[0], column=header, code="half_empty", message=message)


def _median(days: dict[date, list[int]]) -> date:
    ordered = sorted(days)
    counts, total = [], 0
    for day in ordered:
        total += len(days[day])
        counts.append(total)
    return ordered[bisect_left(counts, (total + 1) // 2)]


def _years(one: date, other: date) -> float:
    return abs((one - other).days) / _DAYS_A_YEAR


def _apart(day: date, other: date) -> str:
    whole = round(_years(day, other))
    return f"{whole} years {'before' if day < other else 'after'}"


def hidden_rows_used(mapping: Mapping, sheet: Sheet) -> list[Problem]:
    """Say how many hidden rows the mapping includes or skips."""
    hidden = [row for row in sheet.rows if row.hidden and not row.blank]
    kept = mapping.workbook.hidden_rows == "include"
    if not hidden or mapping.workbook.hidden_rows == "error":
        return []
    what = "imported like the others" if kept else "left out"
    message = f"Hidden or filtered away in Excel, and {what} as the mapping says: {row_list(hidden)}."
    code = "hidden_rows_kept" if kept else "hidden_rows_left"
    return [Problem(sheet=sheet.name, row=hidden[0].number, code=code, message=message)]


def file_notes(sheet: Sheet) -> list[Problem]:
    """Pass on what the reader of the file says, such as the encoding that it found; say where there are no rows."""
    found = [Problem(sheet=sheet.name, code="workbook_note", message=note) for note in sheet.notes]
    if all(row.blank for row in sheet.rows):
        message = f"There are no rows below the headers in row {sheet.header_row}, so nothing would be sent. Check that"
        found.append(Problem(sheet=sheet.name, code="no_rows", message=f"{message} this is the sheet that is meant."))
    return found


def below_zero(mapping: Mapping, sheet: Sheet, documents: Iterable[Document]) -> list[Problem]:
    """Warn of documents whose lines add up to less than nothing: the sign may be that of the other kind of document."""
    if mapping.endpoint.kind != "create" or mapping.endpoint.lines is None:
        return []
    found = []
    for document in documents:
        if document.status is not None or not below_nothing(document.expect):
            continue
        amount = Expectation.load(document.expect).amount
        if amount is not None and Decimal(amount) < 0:
            message = (
                f"The lines of document {document.key!r} add up to {amount}. It goes out so; check that its kind and "
                "its signs are right: a credit note has amounts above zero, as an invoice has."
            )
            problem = Problem(
                sheet=sheet.name, row=document.rows[0], value=amount, code="negative_document", message=message
            )
            found.append(problem)
    return found


def texts_taken_for_yes(sheet: Sheet, misread: Misread) -> list[Problem]:
    """Warn of texts that say no and decided as a yes what came out of a template."""
    return [
        Problem(
            sheet=sheet.name,
            row=rows[0],
            column=fault.column,
            value=fault.shown,
            code=fault.code,
            message=f"{fault.message} So it is in {row_list(rows)}.",
        )
        for fault, rows in misread.kept.items()
    ]


#: Letters that are easily taken for a digit, each where a digit stands beside it.
_LOOKALIKES: Final = (
    (re.compile("(?<=[0-9])[oO]|[oO](?=[0-9])"), "0"),
    (re.compile("(?<=[0-9])[lI|]|[lI|](?=[0-9])"), "1"),
)
_INNER_ZEROS: Final = re.compile("(?<![0-9])0+(?=[0-9])")


def near_equal_keys(sheet: Sheet, documents: Iterable[Document]) -> list[Problem]:
    """Warn of keys that differ by case, white space, leading zeros or a letter that looks like a digit."""
    rows = {
        document.key: document.rows[0]
        for document in documents
        if document.key is not None and document.status is not Status.FILTERED
    }
    found: dict[tuple[str, ...], str] = {}
    for skeleton, how in ((_letters_alike, "case, white space or a letter like a digit"), (_zeros_alike, "zeros")):
        alike: dict[str, list[str]] = {}
        for key in rows:
            alike.setdefault(skeleton(key), []).append(key)
        for keys in alike.values():
            if len(keys) > 1:
                found.setdefault(tuple(keys), how)
    return [_near(sheet, keys, how, rows) for keys, how in found.items()]


def _near(sheet: Sheet, keys: tuple[str, ...], how: str, rows: dict[str, int]) -> Problem:
    shown = ", ".join(f"{key!r} (row {rows[key]})" for key in keys[:_FEW]) + (" ..." if keys[_FEW:] else "")
    message = (
        f"The keys {shown} differ only by {how}; they form {len(keys)} documents. If one document is meant, give its "
        "rows the same key."
    )
    row = rows[keys[-1]]
    return Problem(sheet=sheet.name, row=row, value=keys[-1], code="near_equal_keys", message=message)


def _letters_alike(key: str) -> str:
    text = "".join(key.split())
    for pattern, digit in _LOOKALIKES:
        text = pattern.sub(digit, text)
    return text.casefold()


def _zeros_alike(key: str) -> str:
    return _INNER_ZEROS.sub("", key)
