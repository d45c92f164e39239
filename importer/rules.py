"""Hold a value against what its field takes."""

import re
from typing import Final

from importer.fields import GUID, Field, Kind
from importer.model import Fault, FieldValue

#: Characters of no width: soft hyphen, byte order mark, zero-width spaces and joiners, marks of direction.
UNSEEN: Final = "\u00ad\ufeff" + "".join(
    chr(code)
    for first, last in ((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2069))
    for code in range(first, last + 1)
)


def check_key(key: str) -> Fault | None:
    """Return what is wrong with the key of a document: it must be the one that people see, and type again."""
    return _unseen(key, "key")


def _unseen(text: str, what: str) -> Fault | None:
    bad = None if text.isascii() else next((char for char in text if char in UNSEEN), None)
    if bad is None:
        return None
    message = f"The {what} holds the character U+{ord(bad):04X}, which nobody sees. Type the {what} again."
    return Fault("unseen_character", text, message)


def check_rules(value: FieldValue, target: Field, own_pattern: str | None) -> FieldValue | Fault:
    """Return the value, or the fault where it breaks the mapping's own pattern or what the field takes."""
    if isinstance(value, str):
        if not value.isascii() and target.identifies and (fault := _unseen(value, target.name)):
            return fault
        if own_pattern and not re.fullmatch(own_pattern, value):
            return Fault(
                "pattern", value, f"{value!r} does not match the mapping's pattern {own_pattern!r}. Correct it."
            )
        if target.enum and value not in target.enum:
            return Fault("not_allowed", value, f"{value!r} is not one of {', '.join(target.enum)}.{map_hint(value)}")
        if target.pattern and not re.search(target.pattern, value):
            wanted = target.pattern_hint or f"text that matches {target.pattern}"
            return Fault("pattern", value, f"{value!r} is not allowed in {target.name}: it takes {wanted}. Correct it.")
        if target.kind is Kind.UUID and value and not GUID.fullmatch(value):
            return Fault("pattern", value, f"{value!r} is not a GUID of 32 hexadecimal digits. Correct it.")
        if target.max_length is not None and len(value) > target.max_length:
            message = f"The text has {len(value)} characters; {target.name} takes {target.max_length}. Shorten it."
            return Fault("too_long", value, message)
    elif isinstance(value, int) and not isinstance(value, bool):
        low, high = target.minimum, target.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            return Fault(
                "out_of_range", str(value), f"{value} is out of range: {target.name} takes {low} to {high}. Correct it."
            )
    return value


def map_hint(value: str) -> str:
    """Return the advice on a value that a code list could translate."""
    return f" Correct the cell, or translate it in the mapping: map: {{{value}: ...}}."
