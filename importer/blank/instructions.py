"""Write the page that explains the columns of an import workbook, in plain words."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from importer.blank.examples import examples
from importer.fields import Kind
from importer.mapped_columns import MappedColumn
from importer.mapping import Mapping
from importer.model import CellValue
from importer.report.cells import put_text
from importer.report.layout import LINE_POINTS, lay_out, line_count
from importer.values import Options

MANDATORY: Final = PatternFill("solid", fgColor="FFD966")
OPTIONAL: Final = PatternFill("solid", fgColor="DDE3EA")
_RULE: Final = Border(bottom=Side(style="thin", color="BFBFBF"))
_WIDTHS: Final = {"A": 22, "B": 12, "C": 34, "D": 19, "E": 19, "F": 19, "G": 46}
_HEADS: Final = (
    "Column",
    "Fill in",
    "What it takes",
    "Example, row 1",
    "Example, row 2",
    "Example, row 3",
    "What it is for",
)
_MOST_CHOICES: Final = 8


def fill(page: Any, mapping: Mapping, columns: Sequence[MappedColumn], sheet: str) -> None:
    """Write the instructions onto an empty sheet."""
    writer = _Page(page)
    writer.line(f"How to fill in the sheet {sheet}", size=16)
    writer.row += 1
    for text in _sentences(mapping, columns, sheet):
        writer.line(text)
    writer.row += 1
    writer.legend(MANDATORY, "must be filled in, in every row")
    writer.legend(OPTIONAL, "may be left blank")
    writer.row += 1
    writer.head()
    for column in columns:
        writer.column(mapping, column)
    page.sheet_view.showGridLines = False
    lay_out(page, _WIDTHS, "landscape")


def _sentences(mapping: Mapping, columns: Sequence[MappedColumn], sheet: str) -> list[str]:
    """Say in plain words how rows become documents and what happens to them."""
    endpoint, key = mapping.endpoint, [column.header for column in columns if column.key]
    named = " and ".join(map(repr, key)) if key else ""
    told = [f"{endpoint.title}: {endpoint.description}"]
    told.append(f"Fill in the sheet {sheet} from row {mapping.workbook.header_row + 1} on.")
    if endpoint.lines and named:
        told.append(
            f"Rows with the same {named} form one document, one line a row. What belongs to the document must be the "
            "same in all of its rows. In the example below, rows 1 and 2 are one document of two lines, and row 3 "
            "is another."
        )
    elif named:
        told.append(f"Each row is one document; no two rows have the same {named}.")
    told.append("The example stands here and not in the sheet, because every row of the sheet is imported.")
    if mapping.where:
        told.append(f"Rows are left out for which this is not true: {mapping.where.source}")
    told.append("Leave the headers as they are. Their order does not matter, and columns of your own are not imported.")
    told.append(f"This workbook was made from the mapping {mapping.name!r}. Check it before you import it: ")
    told[-1] += f"visma-import check {mapping.source.path.name} and the name of this file."
    return told


class _Page:
    """Write the page from top to bottom."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.row = 1

    def line(self, text: str, size: int = 11) -> None:
        """Write a sentence over the whole width, the row as high as it needs."""
        self._put("A", text, size=size, bold=size > 11)  # noqa: PLR2004 - larger than the text is a title
        self.page.merge_cells(f"A{self.row}:G{self.row}")
        width = sum(_WIDTHS.values()) * 11 / size - 4
        self.page.row_dimensions[self.row].height = line_count(text, width) * (LINE_POINTS + size - 11) + 2
        self.row += 1

    def legend(self, fill: PatternFill, text: str) -> None:
        """Write a colour and what it means."""
        self._put("A", "Header", bold=True)
        self.page[f"A{self.row}"].fill = fill
        self._put("B", text)
        self.page[f"B{self.row}"].alignment = Alignment(vertical="top")
        self.row += 1

    def head(self) -> None:
        """Write the headers of the table."""
        for letter, name in zip(_WIDTHS, _HEADS, strict=True):
            self._put(letter, name, bold=True)
            self.page[f"{letter}{self.row}"].fill = OPTIONAL
        self.row += 1

    def column(self, mapping: Mapping, column: MappedColumn) -> None:
        """Write one column of the sheet: what it takes, examples, what it is for."""
        cells = {
            "A": column.header,
            "B": "must" if column.mandatory else "may",
            "C": takes(mapping, column),
            "G": _purpose(column),
        }
        for letter, text in cells.items():
            self._put(letter, text, bold=letter == "A")
        self.page[f"A{self.row}"].fill = MANDATORY if column.mandatory else OPTIONAL
        for letter, value in zip("DEF", examples(mapping, column), strict=True):
            self._example(f"{letter}{self.row}", value, cell_format(mapping, column))
        lines = max(line_count(text, _WIDTHS[letter] - 2) for letter, text in cells.items())
        self.page.row_dimensions[self.row].height = lines * LINE_POINTS + 2
        for letter in _WIDTHS:
            self.page[f"{letter}{self.row}"].border = _RULE
        self.row += 1

    def _example(self, place: str, value: CellValue, form: str) -> None:
        cell = self.page[place]
        if isinstance(value, date | Decimal):
            cell.value = value
        elif isinstance(value, str):
            put_text(cell, value)
        cell.number_format = form
        cell.alignment = Alignment(vertical="top", horizontal="left", wrap_text=True)
        cell.font = Font(name="Calibri", sz=11, color="1F4E78")

    def _put(self, letter: str, text: str, *, bold: bool = False, size: int = 11) -> None:
        cell = self.page[f"{letter}{self.row}"]
        put_text(cell, text)
        cell.font = Font(name="Calibri", sz=size, b=bold)
        cell.alignment = Alignment(vertical="top", wrap_text=True)


def cell_format(mapping: Mapping, column: MappedColumn) -> str:
    """Return the number format of a column's cells; text keeps every digit that is typed."""
    where = mapping.workbook.locale
    if column.kind in {Kind.DATE, Kind.DATETIME}:
        day = where.date_format.text if where and where.date_format else "yyyy-mm-dd"
        return f"{day} hh:mm" if column.kind is Kind.DATETIME else day
    if column.kind in {Kind.DECIMAL, Kind.INTEGER} and not column.choices:
        return _number_format(column)
    return "@"


def _number_format(column: MappedColumn) -> str:
    """Return how a column's numbers are shown: with every decimal that may be there."""
    if column.kind is Kind.INTEGER:
        return "0"
    if column.decimals is None:
        return "#,##0.00####"
    return "#,##0" + ("." + "0" * column.decimals if column.decimals else "")


def takes(mapping: Mapping, column: MappedColumn) -> str:
    """Say in words what a column takes."""
    if column.choices:
        shown = ", ".join(column.choices[:_MOST_CHOICES])
        more = len(column.choices) - _MOST_CHOICES
        return f"One of: {shown}" + (f" and {more} more; see the list in the cell" if more > 0 else "")
    parts = [_KINDS[column.kind]]
    if column.kind is Kind.DECIMAL and column.decimals is not None:
        parts.append(f"at most {column.decimals} decimals" if column.decimals else "without decimals")
    if column.kind is Kind.TEXT and any(name == "period" for name in column.fields):
        parts = ["Period, such as 2025-01"]
    for rule in column.rules:
        parts += _rules(rule.options)
        if rule.default is not None:
            parts.append(f"blank means {rule.default}")
        if rule.blank == "clear":
            parts.append("blank empties the field")
    if mapping.endpoint.kind in {"update", "upsert"} and not column.mandatory:
        parts.append("blank leaves it as it is")
    return ", ".join(dict.fromkeys(parts))


_KINDS: Final = {
    Kind.TEXT: "Text",
    Kind.UUID: "Text",
    Kind.DATE: "Date",
    Kind.DATETIME: "Date, with a time if needed",
    Kind.DECIMAL: "Number",
    Kind.INTEGER: "Whole number",
    Kind.BOOLEAN: "Yes or no",
}


def _rules(options: Options) -> list[str]:
    """Say what a field demands beyond its type."""
    found = []
    if options.pad:
        found.append(f"filled up with zeros to {options.pad} digits")
    if options.pattern:
        found.append(f"of the form {options.pattern}")
    if options.field.pattern_hint:
        found.append(options.field.pattern_hint)
    if options.field.max_length and options.kind is Kind.TEXT:
        found.append(f"at most {options.field.max_length} characters")
    if options.field.minimum is not None and options.kind in {Kind.INTEGER, Kind.DECIMAL}:
        found.append(f"from {options.field.minimum} on")
    return found


def _purpose(column: MappedColumn) -> str:
    """Say what a column is for: what it feeds, in the words of the fields."""
    told = [rule.options.field.description for rule in column.rules if rule.options.field.name not in {"key", "period"}]
    parts = ["Tells the documents apart."] if column.key else []
    parts += told[:1]
    if column.total_only:
        parts.append("Only summed up, to check the whole; it is not sent.")
    elif not parts:
        parts.append(f"Used for {', '.join(column.fields)}." if column.fields else "Says which rows are imported.")
    return " ".join(parts)
