"""Read .ods workbooks: the cells of content.xml, with the number formats and hidden sheets of the styles.

An own reader, since no library that is kept up reads them exactly: odfpy and ezodf rest since years, pandas and
calamine make every number a float and drop error cells. An .ods file holds its numbers as decimal text and its dates
as ISO 8601, so that both are taken as they stand.

Source: OASIS OpenDocument 1.3, part 3, 9.1 (tables), 19.385 (types of values), 6.1 (texts and white space).
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from importer.errors import WorkbookError
from importer.workbook.archive import opened_archive
from importer.workbook.ods_cells import read_cell
from importer.workbook.ods_styles import Styles, attributes, local
from importer.workbook.sheet import EMPTY, LAST_ROW, Cell, Table, Title

_LAST_COLUMN: Final = 16_384
#: A sheet of a million rows with fifty columns; more is a trick with repetitions.
_MAX_CELLS: Final = 50_000_000
_HIDDEN: Final = {"collapse", "filter"}
#: Elements that hold tables which are not sheets: data sources, the record of changes, scenarios within a cell.
_FOREIGN: Final = {
    "tracked-changes",
    "dde-links",
    "shapes",
    "named-expressions",
    "database-ranges",
    "content-validations",
}


class OdsBook:
    """Hold an open workbook."""

    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self._sheets: dict[str, _Reading] = {}
        self.titles: list[Title] = []
        styles = Styles()
        if "styles.xml" in archive.namelist():
            for _passing in _events(archive, "styles.xml", styles):
                pass
        for path, event, node in _events(archive, "content.xml", styles):
            if not _in_sheet(path):
                continue
            if path[-1] != "table":
                self._sheets[self.titles[-1].text].take(path[-1], event, node)
            elif event == "start":
                given = attributes(node)
                title = given.get("name", "")
                self.titles.append(Title(title, not styles.hides(given.get("style-name", ""))))
                self._sheets[title] = _Reading(name, styles)

    def table(self, title: str) -> Table:
        """Return the cells of one sheet."""
        return self._sheets[title].table(title)


class _Reading:
    """Collect the rows of one sheet while its XML goes by."""

    def __init__(self, name: str, styles: Styles) -> None:
        self._name = name
        self._styles = styles
        self._hidden: list[range] = []
        self._merged: list[str] = []
        self._rows: list[tuple[int, int, list[Cell]]] = []
        #: default styles of columns: up to which column, 1-based, and the style
        self._columns: list[tuple[int, str]] = []
        self._next = 1
        self._folded = 0
        self._cells = 0

    def take(self, tag: str, event: str, node: Any) -> None:
        """Take in a column, a row or a group of rows."""
        given = attributes(node)
        if tag == "table-row-group":
            if given.get("display") == "false":
                self._folded += 1 if event == "start" else -1
        elif event == "end" and tag == "table-column":
            last = self._columns[-1][0] if self._columns else 0
            self._columns.append((last + _repeats(given, "columns"), given.get("default-cell-style-name", "")))
        elif event == "end":
            self._row(given, node)

    def table(self, title: str) -> Table:
        """Return what was collected; rows hidden behind the last that holds anything are nobody's rows."""
        last = self._rows[-1][0] + self._rows[-1][1] if self._rows else 1
        hidden = frozenset(row for rows in self._hidden for row in range(rows.start, min(rows.stop, last)))
        return Table(title=title, rows=self._each_row(), hidden=hidden, merged=tuple(self._merged))

    def _each_row(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        for first, repeats, cells in self._rows:
            for number in range(first, first + repeats):
                yield number, cells

    def _row(self, given: dict[str, str], node: Any) -> None:
        repeats = _repeats(given, "rows")
        first, self._next = self._next, self._next + repeats
        cells = self._row_cells(first, node, given.get("default-cell-style-name", ""))
        if cells:
            self._cells += len(cells) * repeats
            if self._next - 1 > LAST_ROW or self._cells > _MAX_CELLS:
                raise WorkbookError(
                    f"{self._name!r} repeats rows and cells beyond what a sheet holds; that is no workbook to trust. "
                    "Copy the rows into a new workbook and import that."
                )
            self._rows.append((first, repeats, cells))
        if given.get("visibility") in _HIDDEN or self._folded:
            self._hidden.append(range(first, self._next))

    def _row_cells(self, row: int, node: Any, row_style: str) -> list[Cell]:
        cells: list[Cell] = []
        column = 1
        for part in node:
            tag = local(part.tag)
            if tag not in {"table-cell", "covered-table-cell"}:
                continue
            given = attributes(part)
            repeats = _repeats(given, "columns")
            cell = EMPTY
            if tag == "table-cell" and (len(part) or "value-type" in given or "formula" in given):
                style = given.get("style-name") or row_style or self._column_style(column)
                cell = read_cell(part, given, self._styles.form(style))
            if tag == "table-cell":
                self._merge(row, column, given)
            if cell[0] is not None:
                if column + repeats - 1 > _LAST_COLUMN:
                    raise WorkbookError(f"{self._name!r} has cells beyond the last column of a sheet; split the sheet.")
                cells += [EMPTY] * (column - 1 - len(cells)) + [cell] * repeats
            column += repeats
        return cells

    def _column_style(self, column: int) -> str:
        return next((style for last, style in self._columns if column <= last), "")

    def _merge(self, row: int, column: int, given: dict[str, str]) -> None:
        if "number-columns-spanned" not in given and "number-rows-spanned" not in given:
            return
        from openpyxl.utils import get_column_letter

        wide, high = _repeats(given, "columns", "spanned"), _repeats(given, "rows", "spanned")
        last = column + wide - 1
        if (wide, high) != (1, 1) and last <= _LAST_COLUMN:
            self._merged.append(f"{get_column_letter(column)}{row}:{get_column_letter(last)}{row + high - 1}")


def _repeats(given: dict[str, str], what: str, how: str = "repeated") -> int:
    text = given.get(f"number-{what}-{how}", "")
    return max(int(text), 1) if text.isdigit() else 1


def _in_sheet(path: Sequence[str]) -> bool:
    """Tell whether a path of elements leads to a sheet of the workbook or into one, not to what only looks like one."""
    return path.count("table") == 1 and "spreadsheet" in path and _FOREIGN.isdisjoint(path)


def _events(archive: zipfile.ZipFile, part: str, styles: Styles) -> Iterator[tuple[list[str], str, Any]]:
    """Yield the path of each table, column, row and group as it begins and ends; styles on the way are taken in.

    What has gone by is forgotten, so that a long sheet takes no room.
    """
    from defusedxml.ElementTree import iterparse

    path: list[str] = []
    nodes: list[Any] = []
    known: dict[str, str] = {}
    with archive.open(part) as stream:
        for event, node in iterparse(stream, events=("start", "end")):
            tag = known.get(node.tag) or known.setdefault(node.tag, local(node.tag))
            if event == "start":
                path.append(tag)
                nodes.append(node)
            if tag in _TOLD:
                yield path, event, node
            if event == "end":
                if path[-2:-1] and path[-2] in {"styles", "automatic-styles"}:
                    styles.add(node)
                nodes.pop()
                if nodes and tag in _FORGOTTEN and path.count("table") <= 1:
                    del nodes[-1][:]
                path.pop()


_TOLD: Final = {"table", "table-column", "table-row", "table-row-group"}
_FORGOTTEN: Final = _TOLD | {"style"}


@contextmanager
def open_book(file: Path, name: str) -> Iterator[OdsBook]:
    """Open a workbook for reading values; `name` is what messages call it.

    Raises: WorkbookError when it is not a workbook that can be read safely.
    """
    with opened_archive(file, name) as archive:
        yield OdsBook(name, archive)
