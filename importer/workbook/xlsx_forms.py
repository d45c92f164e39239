"""Know the forms in which programs write the cells of a sheet, and read each text of a form once.

A sheet of 100,000 rows holds a million cells, but few forms: a column is mostly written with the same attributes and
the same elements in each row. A form is what such cells share: all but their address and their text.
"""

import re
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from importer.model import CellValue
from importer.values import cell_value, exact, exact_text
from importer.workbook.sheet import Cell
from importer.workbook.xlsx_parts import PLAIN_TEXT, Root, is_zero, plain
from importer.workbook.xlsx_walk import CELL, TEXT, VALUE, Walk, unescape

#: Stands for a cell that a row does not hold; equal to a blank one, but not the same.
ABSENT: Final[Cell] = (None, None)
#: How many texts of a form are remembered: more than the rows of most sheets have, less than fill the memory.
_REMEMBERED: Final = 100_000
_is_decimal: Final = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][-+]?[0-9]{1,4})?").fullmatch
#: Numbers that `exact` and `exact_text` give as they are written: at most 15 digits, no zero at the end of a fraction.
_is_plain_number: Final = re.compile(
    r"-?(?:[1-9][0-9]{0,14}|(?=[0-9.]{3,16}\Z)(?:0|[1-9][0-9]*)\.[0-9]*[1-9])"
).fullmatch
_is_index: Final = re.compile("[0-9]{1,9}").fullmatch
#: A formula by itself; what it is does not matter, only that it is one. Those with several results are not among them.
_FORMULA: Final = (
    r'<@f(?: t="shared"(?: ref="[A-Z0-9:]+")? si="[0-9]+")?(?: a?ca="(?:0|1|true|false)")?'
    rf"(?: ?/>|>{PLAIN_TEXT}</@f>)"
)
#: What stands between the attributes of a cell and the next cell: as a pattern with one group for the cell's text, and
#: as an example. `@` stands for the prefix of the names.
_CONTENTS: Final = (
    ("()/>", "></@c>"),
    ("></@c>()", "></@c>"),
    ("><@v>([^<]*)</@v></@c>", "><@v>{}</@v></@c>"),
    ("><@v ?/></@c>()", "><@v></@v></@c>"),
    (f">{_FORMULA}<@v>([^<]*)</@v></@c>", "><@f/><@v>{}</@v></@c>"),
    (f">{_FORMULA}<@v ?/></@c>()", "><@f/><@v></@v></@c>"),
    (f">{_FORMULA}</@c>()", "><@f/></@c>"),
    ("><@is><@t>([^<]*)</@t></@is></@c>", "><@is><@t>{}</@t></@is></@c>"),
    ('><@is><@t xml:space="preserve">([^<]*)</@t></@is></@c>', "><@is><@t>{}</@t></@is></@c>"),
    ("><@is><@t ?/></@is></@c>()", "><@is><@t></@t></@is></@c>"),
)


class Surroundings:
    """Hold the root element of a sheet, and how the contents of its cells are written."""

    def __init__(self, root: Root, prefix: str) -> None:
        self.root = root
        #: of the names, such as `x:`; mostly none
        self.prefix = prefix
        self.contents = [
            (pattern.replace("@", re.escape(prefix)), example.replace("@", prefix)) for pattern, example in _CONTENTS
        ]


class Form(dict[str | None, Cell]):
    """Hold the cells of one form by their texts as the file writes them; None is for a row without such a cell.

    Raises: whatever the walk raises over a cell that cannot be read.
    """

    def __init__(self, walk: Walk, around: Surroundings, attributes: str, content: int) -> None:
        super().__init__({None: ABSENT})
        pattern, example = around.contents[content]
        self.pattern = re.escape(attributes) + pattern
        self._walk = walk
        self._around = around
        self._start = f'<{around.prefix}c r="A1"{attributes}'
        self._example = example
        self._node = self._parsed("")
        #: where the text stands; None in cells without any
        self._slot = next((part for part in self._node.iter() if part.tag in {VALUE, TEXT}), None)
        kind, holder = self._node.get("t", "n"), self._slot.tag if self._slot is not None else None
        self._texts = (kind, holder) in {("str", VALUE), ("inlineStr", TEXT)}
        self._shared = (kind, holder) == ("s", VALUE)
        self._number = (kind, holder) == ("n", VALUE) and not walk.is_date(self._style)

    def __missing__(self, raw: str) -> Cell:
        if len(self) > _REMEMBERED:
            self.clear()
            self[None] = ABSENT
        cell = self[raw] = self._cell(raw)
        return cell

    def _cell(self, raw: str) -> Cell:
        text = plain(raw)
        if text is None:
            return self._walk.lone_cell(self._parsed(raw))
        # the same as the walk does, for what most cells hold; a 0 may be the result of a formula that waits for it
        if text and not is_zero(text):
            if self._texts:
                return cell_value(unescape(text)), None
            if self._number and _is_decimal(text):
                return self._exact(text), self._number_format
            if self._shared and _is_index(text):
                return cell_value(unescape(self._walk.shared_texts[int(text)])), None
        if self._slot is not None:
            self._slot.text = text
        return self._walk.lone_cell(self._node)

    def _exact(self, text: str) -> CellValue:
        if _is_plain_number(text):
            return Decimal(text)
        return exact_text(Decimal(text)) if {".", "E", "e"} & set(text) else exact(int(text))

    def _parsed(self, raw: str) -> Any:
        return self._around.root.element(self._start, self._example.format(raw), CELL)

    @cached_property
    def _number_format(self) -> str:
        return self._walk.format(self._style)

    @property
    def _style(self) -> int:
        return int(self._node.get("s", 0))
