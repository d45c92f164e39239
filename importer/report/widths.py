"""Give the columns of a workbook that is made widths for what they hold: a date that does not fit is shown as ####."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from openpyxl.utils import get_column_letter

from importer.jsontext import plain
from importer.model import Fault
from importer.workbook import Cell

#: In characters: what a column has by itself, what stays free beside a value, and the most for a text and for all else.
_DEFAULT: Final = 8
_FREE: Final = 2
_TEXT: Final = 40
_MOST: Final = 60
#: In so many rows texts are looked at.
_FIRST: Final = 1_000
_LONGEST_NAME: Final = len("September")
#: What a form holds that is not shown as it stands, and the parts of a date.
_UNSHOWN: Final = re.compile(r"\[[^\]]*\]|[\"\\]|[_*].")
_SYMBOL: Final = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_DATE_PART: Final = re.compile(r"d+|m+|y+|h+|s+", re.IGNORECASE)
_DIGITS: Final = re.compile(r"[#0?,.]+")


class Widths:
    """Hold how wide each column of a sheet is to be, as its rows go by."""

    def __init__(self) -> None:
        self._wide: list[int] = []

    def seen(
        self, rows: Iterator[tuple[int, Sequence[Cell]]], *, texts: bool = False
    ) -> Iterator[tuple[int, Sequence[Cell]]]:
        """Yield rows, and take note of their values; `texts` tells that there are no others."""
        # a text is never shown as ####: the first ones tell how wide is good for most
        for number, cells in islice(rows, _FIRST):
            self._note(cells)
            yield number, cells
        for number, cells in rows:
            if not texts:
                self._note([(None, None) if type(cell[0]) is str else cell for cell in cells])
            yield number, cells

    def _note(self, cells: Sequence[Cell]) -> None:
        wide = self._wide
        wide.extend([_DEFAULT] * (len(cells) - len(wide)))
        for place, (value, form) in enumerate(cells):
            if isinstance(value, str):
                # one that stands alone, such as a title, may be longer than its column
                if len(value) > wide[place] < _TEXT and sum(other is not None for other, _ in cells) > 1:
                    wide[place] = max(wide[place], min(_TEXT, max(map(len, value.split("\n")))))
            elif isinstance(value, Decimal):
                shown = _number(value.adjusted(), form) if form else len(plain(value))
                wide[place] = max(wide[place], min(_MOST, shown))
            elif isinstance(value, Fault):
                wide[place] = max(wide[place], min(_TEXT, len(value.shown)))
            elif value is not None:
                wide[place] = max(wide[place], min(_MOST, _date(form) if form else len(str(value))))

    def give(self, sheet: Any) -> None:
        """Make the columns of a sheet so wide, where they hold more than fits by itself."""
        for column, wide in enumerate(self._wide, start=1):
            if wide > _DEFAULT:
                sheet.column_dimensions[get_column_letter(column)].width = wide + _FREE


@lru_cache(1024)
def _number(exponent: int, form: str) -> int:
    """Return how long a number is in a form at most, by the place of its first digit."""
    shown = _shown(form)
    whole, _, decimals = "".join(_DIGITS.findall(shown)).partition(".")
    digits = max(exponent + 1 + 2 * shown.count("%"), whole.count("0"), 1)
    return len("-") + digits + digits // 3 + len(".") + len(decimals) + len(_DIGITS.sub("", shown))


@lru_cache(1024)
def _date(form: str) -> int:
    """Return how long a date or a time is in a form at most."""
    return len(_DATE_PART.sub(lambda part: "x" * _part(part[0]), _shown(form)))


def _shown(form: str) -> str:
    """Return what a form shows beside digits and parts of a date: words, and the symbol of a currency."""
    return _UNSHOWN.sub("", _SYMBOL.sub(r"\1", form.partition(";")[0]))


def _part(letters: str) -> int:
    named = letters[0] in "dDmM" and len(letters) > len("mmm")
    return _LONGEST_NAME if named else max(len(letters), len("00"))
