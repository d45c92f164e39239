"""Read and write JSON whose numbers keep every digit: 12.50 comes in and goes out as 12.50."""

import json
import re
import uuid
from decimal import Decimal
from typing import Any, NoReturn

# The standard encoder cannot write a Decimal as a number. It is written as a text that starts with a mark
# nobody can guess, and the quotes around such texts are taken away afterwards.
_MARK = uuid.uuid4().hex
_MARKED = re.compile(f'"{_MARK}([^"]+)"')


def read(text: str | bytes) -> Any:
    """Parse JSON with exact decimals.

    Raises: ValueError for text that is not JSON, NaN and Infinity included.
    """
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def write(value: Any) -> str:
    """Return JSON text in ASCII, decimals digit for digit."""
    return _MARKED.sub(r"\1", json.dumps(value, default=_marked))


def _marked(value: object) -> str:
    """Return the marked text of a decimal."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no place in JSON.")
    return f"{_MARK}{value}"


def _refuse(word: str) -> NoReturn:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(f"{word} is not JSON.")
