"""Write the report's own cells as the XML of a row holds them, each look and each text made once."""

import re
from typing import Any, Final

from openpyxl.cell.cell import Cell
from openpyxl.utils import get_column_letter

from importer.model import Outcome, Status
from importer.report.cells import is_like_formula, text_element, writable
from importer.report.columns import Columns, message_height
from importer.report.looks import Looks
from importer.report.words import row_message

#: A style as a cell of the file has it: None where there is no cell, empty where it has the first style.
Style = bytes | None
_BLANK, _TYPED, _LIKE_FORMULA = range(3)
#: A text that is written as it stands.
_PLAIN: Final = re.compile(r"[A-Za-z0-9(](?:[A-Za-z0-9 .,:;()!?/'-]{0,500}[A-Za-z0-9.)])?")


def number_of(attribute: bytes) -> Style:
    """Return the style that a cell's attribute names, such as `" s="5"`, from the mark before it on; empty: no cell."""
    return attribute[5:-1] if attribute else None


class Styles:
    """Make cells that stand nowhere, to be given styles as openpyxl gives them."""

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet

    def cell(self, column: int, style: Style = None) -> Any:
        """Return a cell with a style of the file."""
        array = None if style is None else self._sheet.parent._cell_styles[int(style or b"0")]
        return Cell(self._sheet, row=1, column=column, style_array=array)


class _Form:
    """Hold how one of our cells is written in rows of one look, each as a format of its row's number and its text."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._before = f'<c r="{get_column_letter(cell.column)}%b" s="'.encode()

    def of(self, kind: int) -> bytes:
        """Return the format of a cell that is blank, that holds a text, or one that begins like a formula."""
        if kind == _BLANK:
            return b'%b%d"/>%%b' % (self._before, self._cell.style_id)
        if kind == _LIKE_FORMULA:
            self._cell.quotePrefix = True
        return b'%b%d" t="inlineStr"><is>%%b' % (self._before, self._cell.style_id)


class OwnCells:
    """Write our cells of one row after the other."""

    def __init__(self, styles: Styles, columns: Columns, outcomes: tuple[Outcome, ...]) -> None:
        #: what became of the document that a row belongs to
        self.rows: dict[int, Outcome] = {row: outcome for outcome in outcomes for row in outcome.rows}
        #: the height that the message of the last row wants, in points
        self.height: float | None = None
        self._styles = styles
        self._columns = columns
        self._looks = Looks(columns)
        self._forms: dict[tuple[Any, ...], tuple[bytes, bytes, bytes]] = {}
        #: the three cells of a row together, by kind and then by what the cell of the neighbour says of its style
        self._joined: dict[tuple[Status, int, int], dict[bytes, bytes]] = {}
        self._lines: dict[bytes, bytes] = {}
        self._outcome: Outcome | None = None
        #: the kind of the outcome's cells, and the texts in them
        self._kind = (Status.ACCEPTED, _BLANK, _BLANK)
        self._status = self._number = self._message = b""

    def line(self, row: int, digits: bytes, attribute: bytes) -> bytes:
        """Return our cells of a row in which nothing stands in their places, columns in the order of their names.

        `attribute` is what the neighbour's cell says of its style, as `number_of` takes it.
        """
        self._turn_to(row)
        form = self._lines.get(attribute)
        if form is None:
            form = self._lines[attribute] = b"".join(self._form(number_of(attribute), (None, None, None)))
        return form % (digits, self._status, digits, self._number, digits, self._message)

    def cells(self, row: int, digits: bytes, neighbour: Style, before: tuple[Style, ...]) -> dict[int, bytes]:
        """Return our cells of a row by column; `before` are the styles of the cells in their places."""
        self._turn_to(row)
        texts = (self._status, self._number, self._message)
        forms = self._form(neighbour, before)
        return {
            column: form % (digits, text) for column, form, text in zip(self._columns.spots, forms, texts, strict=True)
        }

    def _turn_to(self, row: int) -> None:
        outcome = self.rows[row]
        if outcome is self._outcome and not outcome.problems:
            return
        self._outcome = outcome
        message = row_message(outcome, row)
        self._status = _STATUSES[outcome.status]
        self._number, number = _text(outcome.number or "")
        self._message, kind = _text(message)
        self._kind = (outcome.status, number, kind)
        self._lines = self._joined.setdefault(self._kind, {})
        self.height = message_height(message)

    def _form(self, neighbour: Style, before: tuple[Style, ...]) -> tuple[bytes, bytes, bytes]:
        key = (*self._kind, neighbour, before)
        if key not in self._forms:
            status, number, message = self._kind
            beside = self._styles.cell(self._columns.neighbour, neighbour)
            forms = []
            for column, style, kind in zip(self._columns.spots, before, (_TYPED, number, message), strict=True):
                cell = self._styles.cell(column, style)
                self._looks.give(cell, beside, status)
                forms.append(_Form(cell).of(kind))
            self._forms[key] = (forms[0], forms[1], forms[2])
        return self._forms[key]


def _text(text: str) -> tuple[bytes, int]:
    """Return a text as XML, and the kind of its cell."""
    if _PLAIN.fullmatch(text):
        return f"<t>{text}</t></is></c>".encode(), _TYPED
    shown = writable(text)
    if not shown:
        return b"", _BLANK
    kind = _LIKE_FORMULA if is_like_formula(shown) else _TYPED
    return f"{text_element(shown)}</is></c>".encode(), kind


_STATUSES: Final = {status: _text(status.value)[0] for status in Status}
