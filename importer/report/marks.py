"""Mark the cells that have problems: a fill that can be taken off again, and a comment that says what is wrong."""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, Final

from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from importer.model import Problem
from importer.report.cells import heading, writable
from importer.report.layout import line_count

#: A soft red of our own, by which a later report knows our marks.
FILL: Final = "FFFFC2C7"
AUTHOR: Final = "visma-import"
#: As many comments as a spreadsheet program opens without delay; every problem stands beside its row too.
_MAX_COMMENTS: Final = 2_000
_NO_COLOUR: Final = 64
_WIDTH: Final = 340
_LINE: Final = 18
_LETTERS_A_LINE: Final = 48


def mark_cells(
    sheet: Any, header_row: int, problems: Iterable[Problem], keep: int | None = None
) -> dict[int, set[int]]:
    """Fill each cell that a problem is about, and put what is wrong into a comment.

    A comment of the user's own stays; the problem is then told beside the row only. Rows below `keep` are not on this
    sheet: their comments are, and the columns of the cells to be filled there are returned by row.
    """
    columns = _columns(sheet, header_row)
    texts: dict[tuple[int, int], list[str]] = {}
    for problem in problems:
        for column in columns.get(problem.column or "", ()) if problem.row is not None else ():
            texts.setdefault((problem.row or 0, column), []).append(problem.message)
    paint = Paint(sheet)
    elsewhere: dict[int, set[int]] = {}
    for count, ((row, column), messages) in enumerate(texts.items()):
        if isinstance(sheet._cells.get((row, column)), MergedCell):
            continue
        if keep is None or row <= keep:
            paint.mark(sheet.cell(row, column))
        else:
            elsewhere.setdefault(row, set()).add(column)
        if count < _MAX_COMMENTS and sheet.cell(row, column).comment is None:
            sheet.cell(row, column).comment = _comment(messages)
    return elsewhere


def _columns(sheet: Any, header_row: int) -> dict[str, list[int]]:
    """Return where each header stands; one that stands twice is to blame in both places, in the header row only."""
    spots: dict[str, list[int]] = {}
    for cell in sheet[header_row]:
        if name := heading(cell.value):
            spots.setdefault(name, []).append(cell.column)
    return spots


def _comment(messages: Sequence[str]) -> Comment:
    text = writable(f"{AUTHOR}:\n" + "\n".join(dict.fromkeys(messages)))
    return Comment(text, AUTHOR, width=_WIDTH, height=(line_count(text, _LETTERS_A_LINE) + 1) * _LINE)


class Paint:
    """Fill cells, with one style made for each look and shared by all cells that have it."""

    def __init__(self, sheet: Any) -> None:
        self._fills = sheet.parent._fills
        self._marked: dict[int, Any] = {}

    def mark(self, cell: Any) -> None:
        """Fill a cell; the colour that it had stays in the fill as the one that a solid fill does not show."""
        before = cell.style_id
        if before not in self._marked:
            cell.fill = _marked(self._fills[cell._style.fillId])
            self._marked[before] = cell._style
        cell._style = copy(self._marked[before])


def _marked(fill: Any) -> PatternFill:
    had_colour = getattr(fill, "patternType", None) == "solid" and not _is_mark(fill)
    return PatternFill("solid", fgColor=FILL, bgColor=copy(fill.fgColor)) if had_colour else _bare()


def _bare() -> PatternFill:
    from openpyxl.styles.colors import Color

    return PatternFill("solid", fgColor=FILL, bgColor=Color(indexed=_NO_COLOUR))


def _is_mark(fill: Any) -> bool:
    colour: Any = getattr(fill, "fgColor", None)
    return getattr(fill, "patternType", None) == "solid" and colour.type == "rgb" and colour.rgb == FILL


def clear_marks(sheet: Any, *, repainted: bool = False) -> None:
    """Take off the fills and comments of an earlier report; cells get the colour back that they had.

    `repainted` tells that the program which saved the workbook put colours of its own where a solid fill does not show
    them: which colours cells had is not known then, and they get none.
    """
    ours = _marks(sheet)
    plain: dict[int, Any] = {}
    for cell in list(sheet._cells.values()):
        if isinstance(cell, MergedCell):
            continue
        if cell.comment is not None and str(cell.comment.text).startswith(f"{AUTHOR}:\n"):
            cell.comment = None
        if cell.has_style and cell._style.fillId in ours:
            before = cell.style_id
            if before not in plain:
                _take_off(cell, repainted=repainted)
                plain[before] = cell._style
            cell._style = copy(plain[before])


def plain_styles(sheet: Any, *, repainted: bool = False) -> dict[int, int]:
    """Return for each style that marks a cell the one that the cell had before, as `clear_marks` gives it back."""
    found: dict[int, int] = {}
    ours = _marks(sheet)
    for number, style in enumerate(list(sheet.parent._cell_styles)):
        if style.fillId in ours:
            cell = Cell(sheet, row=1, column=1, style_array=style)
            _take_off(cell, repainted=repainted)
            found[number] = cell.style_id
    return found


def _marks(sheet: Any) -> set[int]:
    return {number for number, fill in enumerate(sheet.parent._fills) if _is_mark(fill)}


def _take_off(cell: Any, *, repainted: bool) -> None:
    under = cell.parent.parent._fills[cell._style.fillId].bgColor
    had_none = under.type == "indexed" and under.indexed == _NO_COLOUR
    cell.fill = PatternFill() if had_none or repainted else PatternFill("solid", fgColor=copy(under))
