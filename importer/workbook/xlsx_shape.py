"""Take the rows of a sheet apart many at a time, by one pattern for whole rows that is learned from the rows before.

The pattern knows of each column in which forms its cells were written so far. A row that it does not match has
something new: its cells are taken apart one by one, and if they are of forms that can be known, the next pattern
knows them.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import Final

from importer.workbook.sheet import EMPTY, Cell
from importer.workbook.xlsx_forms import ABSENT, Form, Surroundings
from importer.workbook.xlsx_parts import OddError
from importer.workbook.xlsx_walk import ROW, Walk

#: Rows of a sheet by their numbers.
Rows = list[tuple[int, Sequence[Cell]]]
#: How many forms a pattern knows at most: it takes a tenth of a millisecond to compile each.
_MAX_FORMS: Final = 1_000
#: How many forms, and how many attributes of rows, are remembered: far more than the few hundred that sheets have.
_MAX_SEEN: Final = 5_000
#: How many columns a row may lack and be learned; a lost cell far away widens no other row.
_MAX_GAP: Final = 50


class _Attributes(dict[str, bool]):
    """Tell by the attributes of a row, as the file writes them, whether it is hidden."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__()
        self._around = around

    def __missing__(self, raw: str) -> bool:
        if len(self) >= _MAX_SEEN:
            self.clear()
        prefix = self._around.prefix
        node = self._around.root.element(f'<{prefix}row r="1"{raw}>', f"</{prefix}row>", ROW)
        hidden = self[raw] = node.get("hidden") in {"1", "true"}
        return hidden


class Shape:
    """Know what the rows of a sheet look like."""

    def __init__(self, walk: Walk, around: Surroundings) -> None:
        prefix = re.escape(around.prefix)
        self._walk = walk
        self._around = around
        self._row_start = rf'<{prefix}row r="([1-9][0-9]{{0,6}})"([^<>/]*)'
        self._row_end = rf"</{prefix}row>[ \t\r\n]*"
        self._cell_start = f'<{prefix}c r="'
        contents = "|".join(pattern for pattern, _example in around.contents)
        self._match_row = re.compile(f"{self._row_start}(/?)>").match
        self._match_row_end = re.compile(self._row_end).match
        self._match_cell = re.compile(f'{self._cell_start}([A-Z]{{1,3}})([0-9]+)"([^<>/]*)(?:{contents})').match
        self._attributes = _Attributes(around)
        #: all forms that were seen, by attributes and content
        self._forms: dict[tuple[str, int], Form] = {}
        #: forms of each column that are to be in the next pattern, by the column's number and letters
        self._columns: dict[tuple[int, str], list[Form]] = {}
        #: columns that not every row has
        self._optional: set[int] = set()
        self._news = False
        #: how many rows the pattern did not match, and how many it may miss before it is made again
        self._missed, self._patience = 0, 1
        self._pattern: re.Pattern[str] | None = None
        #: the columns of the pattern
        self._known: list[tuple[int, list[Form]]] = []

    def take(self, text: str, spot: int) -> tuple[Rows, int]:
        """Return the rows from this spot that the pattern matches, and where they end.

        Raises: OddError, ParseError, and what the walk raises over a cell that cannot be read.
        """
        if self._pattern is None:
            return [], spot
        found: list[tuple[str, ...]] = []
        match = self._pattern.match
        while (row := match(text, spot)) is not None:
            found.append(row.groups())
            spot = row.end()
        return (self._rows(found) if found else []), spot

    def _rows(self, found: list[tuple[str, ...]]) -> Rows:
        texts, attributes, *groups = zip(*found, strict=True)
        numbers = list(map(int, texts))
        self._walk.hidden.update(compress(numbers, map(self._attributes.__getitem__, attributes)))
        self._walk.parser.row_counter = numbers[-1]
        columns, ragged = self._cells(groups, len(found))
        rows: Iterable[tuple[Cell, ...]] = zip(*columns, strict=True) if columns else [()] * len(found)
        return list(zip(numbers, map(_trimmed, rows) if ragged else rows, strict=True))

    def _cells(self, groups: Sequence[tuple[str, ...]], size: int) -> tuple[list[Sequence[Cell]], bool]:
        """Return the cells of so many rows by column up to the last that holds any, and whether some rows end before.

        `groups` are the texts of the pattern's forms, column by column.
        """
        nothing = (None,) * size
        blank = [ABSENT] * size
        columns: list[Sequence[Cell]] = []
        rest = iter(groups)
        for column, forms in self._known:
            used = [(form, texts) for form, texts in zip(forms, rest, strict=False) if texts != nothing]
            if not used:
                continue
            form, texts = used[0]
            cells = list(map(form.__getitem__, texts))
            for form, texts in used[1:]:
                cells = [cell if text is None else form[text] for cell, text in zip(cells, texts, strict=True)]
            columns += [blank] * (column - 1 - len(columns))
            columns.append(cells)
        return columns, bool(columns) and any(cell is ABSENT for cell in columns[-1])

    def learn(self, text: str, spot: int) -> tuple[Rows, int]:
        """Return the row at this spot and where it ends; no row where it is not written in known forms.

        Raises: OddError, ParseError, and what the walk raises over a cell that cannot be read.
        """
        row = self._match_row(text, spot)
        if row is None:
            return [], spot
        digits, hidden = row[1], self._attributes[row[2]]
        cells: list[Cell] = []
        forms: dict[tuple[int, str], Form] = {}
        place = row.end()
        while not row[3] and (cell := self._match_cell(text, place)) is not None:
            column = _column(cell[1])
            if cell[2] != digits or column <= len(cells):
                return [], spot
            form = self._form(cell[3], int(cell.lastindex or 0) - 4)
            cells += [EMPTY] * (column - 1 - len(cells))
            cells.append(form[cell[int(cell.lastindex or 0)]])
            forms[column, cell[1]] = form
            place = cell.end()
        end = row if row[3] else self._match_row_end(text, place)
        if end is None:
            return [], spot
        number = int(digits)
        if hidden:
            self._walk.hidden.add(number)
        self._walk.parser.row_counter = number
        self._note(forms)
        return [(number, cells)], end.end()

    def _form(self, attributes: str, content: int) -> Form:
        if (attributes, content) not in self._forms:
            if len(self._forms) >= _MAX_SEEN:
                raise OddError("cells of too many forms")
            self._forms[attributes, content] = Form(self._walk, self._around, attributes, content)
        return self._forms[attributes, content]

    def _note(self, forms: dict[tuple[int, str], Form]) -> None:
        """Take note of a row that the pattern does not match, and make another pattern where it pays."""
        last = max((number for number, _letters in forms), default=0)
        if last - len(forms) > _MAX_GAP or sum(map(len, self._columns.values())) + len(forms) > _MAX_FORMS:
            return
        lacking = {column for column, _letters in self._columns.keys() - forms.keys()}
        if self._columns or self._pattern:
            lacking |= {column for column, _letters in forms.keys() - self._columns.keys()}
        self._news = self._news or not lacking <= self._optional
        self._optional |= lacking
        for column, form in forms.items():
            known = self._columns.setdefault(column, [])
            if not any(form is other for other in known):
                known.append(form)
                self._news = True
        self._missed += 1
        if self._news and self._missed >= self._patience:
            self._make_pattern()

    def _make_pattern(self) -> None:
        self._news, self._missed, self._patience = False, 0, 2 * self._patience
        columns = sorted(self._columns.items())
        self._known = [(column, list(forms)) for (column, _letters), forms in columns]
        cells = []
        for (column, letters), forms in columns:
            ways = "|".join(form.pattern for form in forms)
            cell = rf'{self._cell_start}{letters}\1"(?:{ways})'
            # without the look ahead, a row that does not match would be tried without each of its cells
            absent = rf'(?!{self._cell_start}{letters}\1")'
            cells.append(f"(?:{cell}|{absent})" if column in self._optional else cell)
        self._pattern = re.compile(f"{self._row_start}>{''.join(cells)}{self._row_end}")


def _column(letters: str) -> int:
    from openpyxl.utils import column_index_from_string

    return column_index_from_string(letters)


def _trimmed(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Return the cells of a row without those behind its last."""
    end = len(cells)
    while end and cells[end - 1] is ABSENT:
        end -= 1
    return cells[:end]
