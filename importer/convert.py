"""Apply a mapping's rules to one row: cells become the values of fields, or problems."""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from importer.cells import says_no
from importer.expression import row_view
from importer.fields import Field, Kind
from importer.jsontext import plain
from importer.mapping import Mapping, Referred, Rule
from importer.misread import Misread
from importer.model import ABSENT, CellValue, Fault, FieldValue, Problem, Reference, Row
from importer.remembered import Columns, Flat, by_cell
from importer.rules import check_key
from importer.values import Options, clean, convert, displayed, shown
from importer.workbook import Sheet
from importer.yamlfile import Step

_AMOUNT: Final = Options(field=Field(name="total", description="", kind=Kind.DECIMAL), kind=Kind.DECIMAL)
_PERIODS: Final = (
    re.compile(r"(?P<y>\d{4})-?(?P<m>\d\d)"),
    re.compile(r"(?P<m>\d\d)[-.](?P<y>\d{4})"),
)
#: What reads as a day, whichever way it is written.
_DAY: Final = re.compile(r"\d{1,4}([-./ ]+)\d{1,2}\1\d{1,4}\.?")
_DATE: Final = Options(field=Field(name="period", description="", kind=Kind.DATE), kind=Kind.DATE)
_MONTH_FIRST: Final = re.compile(r"(?P<m>\d\d)(?P<y>\d{4})")
_YEARS: Final = range(1900, 2101)
#: What a number in a text field is told as.
_NO_TEXT: Final = frozenset({"number_in_text", "not_displayable"})
#: A template that is the value of one cell as it is.
_ONE_CELL: Final = re.compile(r"\s*\{\{[-+]?\s*row\s*(\.\s*\w+|\[\s*('[^']*'|\"[^\"]*\")\s*\])\s*[-+]?\}\}\s*")
#: How many keys are remembered.
_REMEMBERED: Final = 20_000
_PERIODS_A_YEAR: Final = range(1, 14)


@dataclass(slots=True)
class RowValues:
    """Hold what one row gives: its key, its part of the document and its line."""

    row: Row
    key: str | None = None
    fields: Flat = field(default_factory=dict)
    #: None when the row adds no line
    line: Flat | None = None
    problems: list[Problem] = field(default_factory=list)
    #: fields of the document whose value could not be read here
    faulty: frozenset[tuple[Step, ...]] = frozenset()

    @property
    def all(self) -> Iterator[FieldValue]:
        """Yield every value that goes into the body."""
        yield from self.fields.values()
        yield from (self.line or {}).values()


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold what one rule gives for one row; `filled` where a cell gave it."""

    rule: Rule
    value: FieldValue
    filled: bool = False
    problems: tuple[Problem, ...] = ()


def _all_blank(found: list[_Found]) -> bool:
    """Tell whether rules look at cells and all of these are blank."""
    return any(item.rule.constant is None for item in found) and not any(item.filled for item in found)


@dataclass(frozen=True)
class Converter:
    """Convert the rows of one sheet by one mapping."""

    mapping: Mapping
    sheet: Sheet
    param: Dictionary[str, Any]

    @cached_property
    def _field_columns(self) -> Columns | None:
        return self._columns(self.mapping.fields)

    @cached_property
    def _line_columns(self) -> Columns | None:
        return self._columns(self.mapping.lines)

    @cached_property
    def _keys(self) -> dict[str, str]:
        """Remember keys by the text of their cell."""
        return {}

    def _columns(self, rules: tuple[Rule, ...]) -> Columns | None:
        """Return what remembers the cells of each rule; None where a row must be looked at as a whole."""
        if not all(by_cell(rule) and not _entry(rule.target) for rule in rules):
            return None
        blanks = [self._blank(rule, Row(number=0, cells=()), required=True) for rule in rules]
        values = [None if blank.problems else blank.value for blank in blanks]
        return Columns(rules, values, self.sheet.columns, self.mapping.workbook.locale)

    def key(self, row: Row) -> tuple[str | None, list[Problem]]:
        """Return the key of a row, and why it has none."""
        rule = self.mapping.key
        cell = self._cell(row, rule.column) if rule.column and not rule.document else None
        if type(cell) is not str:
            return self._key(row)
        if cell in self._keys:
            return self._keys[cell], []
        key, problems = self._key(row)
        if key is not None and not problems:
            if len(self._keys) >= _REMEMBERED:
                self._keys.clear()
            self._keys[cell] = key
        return key, problems

    def _key(self, row: Row) -> tuple[str | None, list[Problem]]:
        found = self._value(self.mapping.key, row, required=False)
        problems = list(found.problems)
        if isinstance(found.value, str) and (key := clean(found.value)):
            if fault := check_key(key):
                problems.append(self._problem(fault, row, self.mapping.key.headers))
            return key, problems
        if not problems:
            rule = self.mapping.key
            problems.append(
                Problem(
                    sheet=self.sheet.name,
                    row=row.number,
                    column=self.column(rule),
                    code="key_missing",
                    message="The row has no key, so it belongs to no document. Fill the cell, or leave the row out.",
                )
            )
        return None, problems

    def passes(self, row: Row) -> bool | Problem:
        """Tell whether the mapping's `where` lets a row through."""
        where = self.mapping.where
        if where is None:
            return True
        view = self._view(row, blank_is_text=True)
        value = where.evaluate(view, self.param)
        if isinstance(value, Fault):
            return self._problem(value, row, where.headers)
        if isinstance(value, str) and says_no(value):
            name = next(iter(where.headers)) if len(where.headers) == 1 else "..."
            message = (
                f"'where' gives the text {value!r}, which would let the row through, as any text does. Compare it in "
                f"the mapping: row[{name!r}] != {value!r} leaves the row out."
            )
            return self._problem(Fault("not_a_boolean", value, message), row, where.headers)
        if where.asked:
            fault = self.misread.fault("'where'", where, row, view, bool(value))
            return bool(value) if fault is None else self._problem(fault, row, where.headers)
        return bool(value)

    @cached_property
    def misread(self) -> Misread:
        """Return what looks for texts that say no and are taken for a yes."""
        return Misread(self.sheet, self.param)

    def values(self, row: Row) -> RowValues:
        """Return everything one row gives."""
        key, problems = self.key(row)
        result = RowValues(row, key, problems=problems)
        fields = self._field_columns.fields(row) if self._field_columns else None
        if fields is None:
            result.fields, _, result.faulty = self._flat(self.mapping.fields, row, problems)
        else:
            result.fields = fields
        if self.mapping.period:
            result.fields = result.fields | self._period(self.mapping.period, row, problems)
        quick = self._line_columns.line(row) if self._line_columns else None
        line, filled = quick or self._flat(self.mapping.lines, row, problems)[:2]
        result.line = line if filled else None
        if result.line is not None and self.mapping.endpoint.lines_by_number:
            result.problems += self._operation(result.line, row)
        return result

    def _operation(self, line: Flat, row: Row) -> list[Problem]:
        """Give a line of an update its operation: Update with a number, Insert without one, Delete when mapped so."""
        numbered = ("lineNumber",) in line
        operation = line.setdefault(("operation",), "Update" if numbered else "Insert")
        rules = {rule.target: rule for rule in self.mapping.lines}
        if operation == "Insert" and numbered:
            rule = rules[("lineNumber",)]
            text = "A line with a number is inserted here, which would add a line. Leave the number out, or say Update."
            fault = Fault("insert_with_number", shown(line[("lineNumber",)]), text)
        elif operation != "Insert" and not numbered:
            rule = rules[("operation",)]
            text = f"The operation is {operation}, but the line has no number. Fill in lineNumber."
            fault = Fault("line_number_missing", shown(operation), text)
        else:
            return []
        return [self._problem(fault, row, rule.headers)]

    def number(self, row: Row, column: str) -> Decimal | Problem:
        """Return a cell as the decimal it holds, a blank as zero."""
        number = convert(self._cell(row, column), _AMOUNT, self.mapping.workbook.locale, None)
        if isinstance(number, Fault):
            return self._problem(number, row, [column])
        return number if isinstance(number, Decimal) else Decimal(0)

    def _flat(
        self, rules: tuple[Rule, ...], row: Row, problems: list[Problem]
    ) -> tuple[Flat, bool, frozenset[tuple[Step, ...]]]:
        """Return the values of rules by target, whether a cell or only constants gave them, and the faulty targets."""
        found = [self._value(rule, row) for rule in rules]
        entries = {_entry(rule.target) for rule in rules} - {()}
        for entry in entries:
            if _all_blank([item for item in found if item.rule.target[: len(entry)] == entry]):
                found = [item for item in found if item.rule.target[: len(entry)] != entry]
        faulty: set[tuple[Step, ...]] = set()
        for item in found:
            problems += [problem for problem in item.problems if problem not in problems]
            if item.problems:
                faulty.add(item.rule.target)
        flat: Flat = {item.rule.target: item.value for item in found if item.value is not ABSENT}
        return flat, bool(found) and not _all_blank(found), frozenset(faulty)

    def _value(self, rule: Rule, row: Row, *, required: bool = True) -> "_Found":
        if rule.constant is not None:
            return _Found(rule, rule.constant)
        if rule.document is not None:
            return self._reference(rule, rule.document, row, required=required)
        value = self._source(rule, row)
        result = convert(value, rule.options, self.mapping.workbook.locale, self._format(rule, row, value))
        if isinstance(result, Fault):
            fault = _of_template(rule, value, result) if isinstance(value, Decimal) else result
            return _Found(rule, ABSENT, filled=True, problems=(self._problem(fault, row, rule.headers),))
        if result is not ABSENT:
            return _Found(rule, result, filled=True)
        return self._blank(rule, row, required=required)

    def _format(self, rule: Rule, row: Row, value: CellValue) -> str | None:
        """Return the number format of the cell that a rule takes as it is."""
        if not row.formats or not isinstance(value, Decimal) or len(rule.headers) != 1:
            return None
        spot = self.sheet.columns[rule.headers[0]]
        return row.formats.get(spot) if spot < len(row.cells) and row.cells[spot] == value else None

    def _reference(self, rule: Rule, referred: Referred, row: Row, *, required: bool) -> "_Found":
        key = self._value(referred.key, row, required=False)
        if key.problems:
            return _Found(rule, ABSENT, filled=True, problems=key.problems)
        if isinstance(key.value, str) and clean(key.value):
            place = (row.number, self.column(rule))
            reference = Reference(referred.name, clean(key.value), *place, earlier=referred.earlier)
            return _Found(rule, reference, filled=key.filled)
        return self._blank(rule, row, required=required)

    def _blank(self, rule: Rule, row: Row, *, required: bool) -> "_Found":
        if rule.default is not None:
            return _Found(rule, rule.default)
        if rule.blank == "clear":
            return _Found(rule, "")
        if rule.blank == "error" and required:
            fault = Fault("required", "", f"The cell is blank, but {rule.name} needs a value. Fill the cell.")
            return _Found(rule, ABSENT, problems=(self._problem(fault, row, rule.headers),))
        return _Found(rule, ABSENT)

    def _source(self, rule: Rule, row: Row) -> CellValue:
        if rule.column is not None:
            return self._cell(row, rule.column)
        if rule.template is None:
            return None
        view = self._view(row, blank_is_text=False)
        value = rule.template.evaluate(view, self.param)
        if rule.template.asked:
            name = f"The template of {rule.name or 'key'}"
            self.misread.keep(name, rule.template, row, view, value)
        return value

    def _view(self, row: Row, *, blank_is_text: bool) -> Dictionary[str, Any]:
        return row_view(self.sheet.headers, row.cells, blank_is_text=blank_is_text, formats=row.formats)

    def _cell(self, row: Row, header: str) -> CellValue:
        spot = self.sheet.columns[header]
        return row.cells[spot] if spot < len(row.cells) else None

    def _period(self, rule: Rule, row: Row, problems: list[Problem]) -> Flat:
        value = rule.constant if rule.constant is not None else self._source(rule, row)
        if rule.options.codes and value is not None and not isinstance(value, Fault):
            value = rule.options.codes.get(
                shown(value), Fault("not_in_map", shown(value), "It is not in the code list.")
            )
        if value is None or value == "":
            blank = self._blank(rule, row, required=True)
            problems += blank.problems
            value = blank.value
        if value is ABSENT:
            return {}
        found = self._named_period(value, rule)
        if isinstance(found, Fault):
            problems.append(self._problem(found, row, rule.headers))
            return {}
        year, month = found
        return {("postPeriod",): f"{month:02d}{year:04d}", ("financialPeriod",): f"{year:04d}{month:02d}"}

    def _named_period(self, value: object, rule: Rule) -> tuple[int, int] | Fault:
        """Return the period that a value names, or in which the day lies that it is a text of."""
        found = period(value, rule.period_format)
        if rule.period_format or not isinstance(value, str | Decimal) or rule.constant is not None:
            return found
        if rule.options.date_format is None and not (isinstance(value, str) and _DAY.fullmatch(value)):
            return found
        day = convert(value, replace(_DATE, date_format=rule.options.date_format), self.mapping.workbook.locale, None)
        return period(day, "") if isinstance(day, date | Fault) else found

    def column(self, rule: Rule) -> str | None:
        """Return the one column a rule looks at, if it is one."""
        return rule.headers[0] if len(rule.headers) == 1 else None

    def _problem(self, fault: Fault, row: Row, headers: Iterable[str]) -> Problem:
        names = list(headers)
        return Problem(
            sheet=self.sheet.name,
            row=row.number,
            column=fault.column or (names[0] if len(names) == 1 else None),
            value=fault.shown or None,
            code=fault.code,
            message=fault.message,
        )


def _of_template(rule: Rule, number: Decimal, fault: Fault) -> Fault:
    """Return the fault of a number in a text field; where a template reckoned it out, no cell is to be corrected."""
    if fault.code not in _NO_TEXT or rule.template is None or _ONE_CELL.fullmatch(rule.template.source):
        return fault
    options = "Say in the mapping as: displayed (its digits) or pad: N (filled up with zeros to N digits), or write"
    message = (
        f"The template gives the number {fault.shown}, but the field takes text. "
        f"{'Write' if displayed(number, None) is None else options} it as text in the template: {{{{ (...) ~ '' }}}}, "
        "its expression between the brackets."
    )
    return replace(fault, message=message)


def _entry(target: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the list entry that a target stands in, such as ("attributeLines", 0); empty outside lists."""
    spots = [spot for spot, step in enumerate(target) if isinstance(step, int)]
    return target[: spots[-1] + 1] if spots else ()


def period(value: object, form: str) -> tuple[int, int] | Fault:
    """Return year and number of the financial period that a value names."""
    if isinstance(value, date):
        return value.year, value.month
    if isinstance(value, Fault):
        return value
    text = plain(value) if isinstance(value, Decimal) else str(value).strip()
    if form == "mmyyyy":
        match = _MONTH_FIRST.fullmatch(text.zfill(6) if isinstance(value, Decimal) else text)
    else:
        match = next(filter(None, (pattern.fullmatch(text) for pattern in _PERIODS)), None)
    if match and text.isascii() and int(match["y"]) in _YEARS and int(match["m"]) in _PERIODS_A_YEAR:
        return int(match["y"]), int(match["m"])
    wanted = "012025" if form == "mmyyyy" else "2025-01, 202501 or 01-2025"
    hint = (
        " Say format: mmyyyy in the mapping where 012025 is meant."
        if re.fullmatch(r"\d{5,6}", text) and not form
        else ""
    )
    return Fault("not_a_period", shown(value), f"{shown(value)!r} is not a period such as {wanted}. Correct it.{hint}")
