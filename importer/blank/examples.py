"""Think up what the cells of a document could hold, so that the mapping takes it."""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from importer.convert import period
from importer.expression import param_view, row_view
from importer.fields import Kind
from importer.mapped_columns import MappedColumn
from importer.mapping import Mapping
from importer.model import CellValue, Fault
from importer.values import convert

#: Three rows: a document of two rows and one of one row; without lines each row is a document.
_DOCUMENTS: Final = (0, 0, 1)
_DAY: Final = date(2025, 1, 27)
_TERM: Final = timedelta(days=14)
_QUANTITIES: Final = (Decimal(2), Decimal(1), Decimal(3))
_PRICE, _PERCENT = Decimal("1234.50"), Decimal(10)
#: An example in a field's description: it has a capital letter, a digit, or is an address.
_SUCH_AS: Final = re.compile(r"such as ((?=\S*[A-Z0-9@])\S+?|www\.\S+?)[,.;]?(?:\s|$)")
_USUAL: Final = {
    "postalCode": "0150",
    "phone1": "22 00 00 00",
    "phone2": "22 00 00 00",
    "vatCodeId": "3",
    "city": "Oslo",
}
_NUMBERED: Final = re.compile("(Number|Id|ID|Code|Reference|project)$")
_LITERAL: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_LONGEST: Final = 31


def examples(mapping: Mapping, column: MappedColumn) -> tuple[CellValue, ...]:
    """Return a value for each example row; None where none could be thought up that the mapping takes."""
    documents = _DOCUMENTS if mapping.endpoint.lines else range(len(_DOCUMENTS))
    return tuple(_example(mapping, column, row, document) for row, document in enumerate(documents))


def _example(mapping: Mapping, column: MappedColumn, row: int, document: int) -> CellValue:
    own = _tells_apart(mapping, column)
    found = [value for value in _candidates(column, row, document, own=own) if _fits(mapping, column, value)]
    found = _let_through(mapping, column, found)
    if not found:
        return None
    # a document's own number is another in each document
    return found[min(document, len(found) - 1)] if own else found[0]


def _tells_apart(mapping: Mapping, column: MappedColumn) -> bool:
    """Tell whether each document has a value of its own in a column: its key, its number, what it is found by."""
    names = {mapping.endpoint.number_field, *mapping.endpoint.identifiers}
    return column.key or bool(names & set(column.fields))


def _fits(mapping: Mapping, column: MappedColumn, value: CellValue) -> bool:
    """Tell whether every rule takes a value."""
    where = mapping.workbook.locale
    return not any(
        isinstance(
            period(value, rule.period_format) if rule is mapping.period else convert(value, rule.options, where, None),
            Fault,
        )
        for rule in column.rules
    )


def _let_through(mapping: Mapping, column: MappedColumn, found: list[CellValue]) -> list[CellValue]:
    """Return the values with which a row is not left out, where that hangs on this column alone."""
    where = mapping.where
    if where is None or where.headers != {column.header}:
        return found
    named = ["".join(match) for match in _LITERAL.findall(where.source)]
    tried = [*found, *(text for text in named if _fits(mapping, column, text))]
    views = (row_view((column.header,), (value,), blank_is_text=True) for value in tried)
    given = param_view(dict.fromkeys(where.params, "1"))
    results = [where.evaluate(view, given) for view in views]
    passing = [
        value
        for value, result in zip(tried, results, strict=True)
        if result and not isinstance(result, Fault) and value != column.header
    ]
    return passing or found


def _candidates(column: MappedColumn, row: int, document: int, *, own: bool) -> Iterable[CellValue]:
    if column.choices:
        yield from column.choices
    elif column.kind in {Kind.DATE, Kind.DATETIME}:
        yield _DAY + _TERM if any("due" in name.lower() for name in column.fields) else _DAY
    elif column.kind is Kind.DECIMAL:
        yield from _amounts(column, row)
    elif column.kind is Kind.INTEGER:
        yield Decimal(row + 1 if column.line else document + 1 if own else 1)
    else:
        yield from _texts(column, own=own)


def _amounts(column: MappedColumn, row: int) -> Iterable[Decimal]:
    names = " ".join(column.fields).lower()
    if "percent" in names or "pct" in names:
        yield _PERCENT
    if "quantity" in names:
        yield _QUANTITIES[row]
    yield _QUANTITIES[row] * _PRICE if column.total_only or "amount" in names else _PRICE
    yield Decimal(1)


def _texts(column: MappedColumn, *, own: bool) -> Iterable[str]:
    """Yield texts, the likeliest first: what is usual, what a description names, numbers for patterns and lengths."""
    names = {name.rpartition(".")[2] for name in column.fields}
    if names & {"period", "financialPeriod"}:
        yield from ("2025-01", "202501", "012025")
    if "postPeriod" in names:
        yield "012025"
    width = max((rule.options.pad or 0 for rule in column.rules), default=0)
    if own:
        yield from (number.zfill(width) for number in ("1001", "1002", "1003"))
    yield from (_USUAL[name] for name in sorted(names & set(_USUAL)))
    named = [_SUCH_AS.search(rule.options.field.description) for rule in column.rules]
    yield from (found[1].zfill(width) if found[1].isdigit() else found[1] for found in named if found)
    if any(_NUMBERED.search(name) for name in names):
        yield "1001".zfill(width)
    if not any(rule.options.pattern or rule.options.field.pattern for rule in column.rules):
        yield f"{column.header} 1"
    for length in range(1, _LONGEST):
        # numbers of that length by every first digit, three of each for keys
        yield from (
            f"{first}{str(last).zfill(length - 1)}"[:length] for first in (*range(1, 10), 0) for last in range(3)
        )
    yield from ("A1", "A-1", "A001", "Text")
