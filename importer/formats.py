"""Tell what a number format of Excel shows, where that is certain."""

import re
from decimal import Decimal
from functools import cache
from typing import Final

from importer.jsontext import plain
from importer.model import CellValue, Fault

#: What stands for itself, and conditions and colours.
_NO_CODE: Final = re.compile(r'"[^"]*"|\\.|[_*].|\[[^]]*\]')
_DIGITS: Final = re.compile("[-#0, ()/:]*")


@cache
def format_code(form: str) -> str:
    """Return the first section of a number format without what stands for itself, conditions and colours."""
    return _NO_CODE.sub("", form).partition(";")[0]


def zeros(form: str) -> int:
    """Return how many digits a number format shows at least, 1 where it is not a plain one."""
    code = format_code(form).partition(".")[0]
    return max(1, code.count("0")) if _DIGITS.fullmatch(code) else 1


def fraction(value: CellValue, form: str) -> Fault | None:
    """Tell a number that Excel shows as per cent, for a field in which 25 means 25 per cent."""
    if not isinstance(value, Decimal) or not value or "%" not in format_code(form):
        return None
    shown = plain((value * 100).normalize())
    return Fault(
        "percent_format",
        plain(value),
        f"Excel shows this cell as {shown} % and holds {plain(value)}, which would be sent as {plain(value)} per cent. "
        f"Type {shown} into a cell that is not formatted as %, or multiply in the mapping: template: "
        "\"{{ row['...'] * 100 }}\".",
    )
