"""Write a plan as a workbook: what would become of each document, the control totals, and what is wrong."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from importer.atomic_file import replacing
from importer.expect import Expectation
from importer.forecast import ACTIONS, NOT_KNOWN, Amount, Forecast, action
from importer.grouping import letters, title_of
from importer.report.cells import put_text, save
from importer.report.layout import LINE_POINTS, MAX_LINES, lay_out, line_count, put_amount

_FILLS: Final = {"send": "E2EFDA", "skip": "EDF5E7", "blocked": "FCE4D6"}
_HEAD: Final = PatternFill("solid", fgColor="DDE3EA")
_BOLD: Final = Font(name="Calibri", sz=11, b=True)
_TOP: Final = Alignment(horizontal="left", vertical="top", wrap_text=True, indent=1)
_RIGHT: Final = Alignment(horizontal="right", vertical="top")
_NUMERIC: Final = frozenset(
    {"Documents", "Rows in all", "Net amount", "Sheet", "Send", "Skip", "Blocked", "In the bodies", "Expected"}
)
_NOT_IN_TITLES: Final = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
#: Excel's own limit.
_MAX_TITLE: Final = 31

#: What a cell of these sheets can hold: a text, a number, or nothing.
Content = str | int | Decimal | None


def write(file: Path, forecasts: Sequence[Forecast], names: Sequence[str]) -> None:
    """Write the workbook, whole or not at all; of several steps, by their names, three sheets for each.

    Raises: StartError when the file cannot be written.
    """
    with replacing(file) as partial:
        book: Any = Workbook(write_only=True)
        for number, (forecast, name) in enumerate(zip(forecasts, names, strict=True), start=1):
            _fill(book, forecast, f"{number} {{}} {name}" if len(forecasts) > 1 else "{}")
        save(book, partial)


def _fill(book: Any, forecast: Forecast, title: str) -> None:
    def named(name: str) -> str:
        return _NOT_IN_TITLES.sub("-", title.format(name))[:_MAX_TITLE].strip(" '")

    documents = _Table(book, named("Documents"), (10, 18, 14, 14, 12, 10, 16, 70))
    documents.head("Action", "Key", "Rows", "Customer", "Date", "Currency", "Net amount", "Why")
    for position, document in enumerate(forecast.documents):
        known = Expectation.load(document.expect)
        amount = None if known.amount is None else Decimal(known.amount)
        rows = ", ".join(map(str, document.rows))
        texts = (document.key, rows, document.customer or known.customer, known.day, known.currency)
        name = action(document)
        verb = forecast.verb(document)
        documents.row(verb, *texts, amount, forecast.reason(position), fill=_FILLS[name])
    _totals(_Table(book, named("Totals"), (28, 18, 20, 16, 16, 16, 16, 16, 16, 14)), forecast)
    _problems(_Table(book, named("Problems"), (10, 34, 10, 20, 24, 80)), forecast)
    documents.finish()


class _Table:
    """Write one sheet from top to bottom, row by row."""

    def __init__(self, book: Any, title: str, widths: Sequence[int]) -> None:
        self._sheet = book.create_sheet(title)
        self._widths = widths
        self._rows = 0
        self._fills: dict[str, PatternFill] = {}
        lay_out(self._sheet, {get_column_letter(spot): wide for spot, wide in enumerate(widths, start=1)}, "landscape")
        self._sheet.freeze_panes = "A2"
        self._sheet.print_title_rows = "1:1"

    def head(self, *names: str) -> None:
        """Write the headers, or those of a further table on the sheet."""
        cells = [self._cell(name) for name in names]
        for cell, name in zip(cells, names, strict=True):
            cell.font, cell.fill = _BOLD, _HEAD
            cell.alignment = _RIGHT if name in _NUMERIC else _TOP
        self._append(cells, names)

    def row(self, *contents: Content, fill: str | None = None, bold: bool = False) -> None:
        """Write one row, its first cell coloured, as high as its longest text needs."""
        cells = [self._cell(content) for content in contents]
        if fill:
            cells[0].fill = self._fills.setdefault(fill, PatternFill("solid", fgColor=fill))
        if bold:
            for cell in cells:
                cell.font = _BOLD
        self._append(cells, contents)

    def fact(self, name: str, text: str) -> None:
        """Write a name and what stands for it, which may run over the cells beside it."""
        cells = [self._cell(name), self._cell(text)]
        cells[1].alignment = Alignment(horizontal="left", vertical="top", indent=1)
        self._append(cells, [name])

    def finish(self) -> None:
        """Let the table be filtered."""
        self._sheet.auto_filter.ref = f"A1:{get_column_letter(len(self._widths))}{self._rows}"

    def _append(self, cells: Sequence[Any], contents: Sequence[Content]) -> None:
        self._rows += 1
        texts = zip(self._widths, contents, strict=False)
        lines = max((line_count(text, width) for width, text in texts if isinstance(text, str)), default=1)
        if lines > 1:
            self._sheet.row_dimensions[self._rows].height = min(lines, MAX_LINES) * LINE_POINTS + 1
        self._sheet.append(cells)

    def _cell(self, content: Content) -> Any:
        cell = WriteOnlyCell(self._sheet)
        if isinstance(content, Decimal):
            put_amount(cell, content)
            cell.alignment = _RIGHT
        elif isinstance(content, int):
            cell.value, cell.number_format, cell.alignment = content, "#,##0", _RIGHT
        else:
            put_text(cell, content or "")
            cell.alignment = _TOP
        return cell


def _totals(table: _Table, forecast: Forecast) -> None:
    table.head("Action", "Documents", "Rows in all")
    counts = forecast.counts()
    for name, (documents, rows) in counts.items():
        table.row(name, documents, rows, fill=_FILLS[name])
    table.row("Sum", *(sum(part) for part in zip(*counts.values(), strict=True)), bold=True)
    table.row("")
    names = ("Total", "Column", "Currency", "Sheet", *(name.capitalize() for name in ACTIONS), "In the bodies")
    table.head(*names, "Expected", "Agrees")
    for amount in forecast.amounts:
        table.row(*_amount(amount), bold=amount.expect is not None and amount.sheet != amount.expect)
        if amount.lack:
            table.fact("", f"and {amount.lack}")
    table.row("")
    table.fact("Target", forecast.target)
    table.fact("Workbook", f"{forecast.plan.sheet.file.name}, sheet {forecast.plan.sheet.name}")
    table.fact("Mapping", forecast.plan.mapping.name)
    if forecast.to_send:
        table.fact("Duration", f"about {round(forecast.seconds):,} s. {forecast.basis}")
    if found := len(forecast.plan.problems):
        table.fact("Start", f"A run would not start before what is on the sheet Problems is corrected ({found:,}).")
    table.fact("", "This is a plan: nothing was sent.")


def _amount(amount: Amount) -> Iterable[Content]:
    currency = {None: "all", "": "the customer's"}.get(amount.currency, amount.currency)
    yield from (amount.name, amount.column, currency)
    for number in (amount.sheet, *(amount.by_action[name] for name in ACTIONS)):
        yield NOT_KNOWN if number is None and amount.column else number
    yield from (amount.bodies, amount.expect)
    yield "" if amount.expect is None else "yes" if amount.sheet == amount.expect else "NO"


def _problems(table: _Table, forecast: Forecast) -> None:
    table.head("Kind", "What", "Cell", "Column", "Value", "Message")
    columns = letters(forecast.plan.sheet.headers)
    found = [("problem", one) for one in forecast.plan.problems] + [("warning", one) for one in forecast.plan.warnings]
    for kind, one in found:
        cell = "" if one.row is None else f"{columns.get(one.column or '', 'row ')}{one.row}"
        fill = _FILLS["blocked"] if kind == "problem" else None
        table.row(kind, title_of(one.code), cell, one.column, one.value, one.message, fill=fill)
    if not found:
        table.row("none")
    table.finish()
