"""Read one cell of an .ods workbook: its value by its declared type, its text as it is seen."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from importer.model import CellValue, Fault
from importer.values import cell_value, exact_text
from importer.workbook.ods_styles import EXTENSION, attributes, local
from importer.workbook.serial import ERRORS, error_cell, not_calculated
from importer.workbook.sheet import Cell

_NUMBERS: Final = {"float", "currency", "percentage"}
_ERROR_TEXT: Final = re.compile(r"(?:Err|Fehler|Virhe|Feil|Fejl|Fel):\d{3}")
_DURATION: Final = re.compile(r"(-)?P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d+))?S)?")
_MAX_SPACES: Final = 32_767
#: What stands in a cell beside its text: comments, drawings, footnotes, how to say a word.
_BESIDE: Final = {"annotation", "annotation-end", "frame", "note", "ruby-text", "custom-shape", "g", "line", "control"}
_ANY_DAY: Final = date(2000, 1, 1)
_BLOCKS: Final = {"p", "h"}


def read_cell(node: Any, given: dict[str, str], form: str | None) -> Cell:
    """Return what a cell holds and its number format; `given` are its attributes."""
    value = _value(node, given, form)
    return value, None if value is None or isinstance(value, str | bool) else form


def _value(node: Any, given: dict[str, str], form: str | None) -> CellValue:
    kind = given.get("value-type", "")
    formula = given.get("formula", "")
    shown = _shown(node)
    declared = node.get(f"{EXTENSION}value-type") == "error"
    if declared or (formula and (shown in ERRORS or _ERROR_TEXT.fullmatch(shown))):
        return error_cell(shown or "of its formula")
    if kind in _NUMBERS:
        return _number(given.get("value", ""), formula, shown, form)
    if kind == "date":
        return _date(given.get("date-value", ""), form)
    if kind == "time":
        return _time(given.get("time-value", ""), form)
    if kind == "boolean":
        return given.get("boolean-value") == "true"
    if kind == "string":
        return cell_value(given.get("string-value") or shown)
    # LibreOffice writes an empty paragraph for a formula whose result is an empty text (seen in 7.4)
    waits = formula and not any(local(part.tag) in _BLOCKS for part in node)
    return not_calculated() if waits else cell_value(shown)


def _number(text: str, formula: str, shown: str, form: str | None) -> CellValue:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return (
            not_calculated()
            if formula and not text
            else Fault("not_finite", text, "The cell holds no number that can be read; type the number again.")
        )
    if formula and form is None and number in {0, 1} and shown and not re.search(r"\d", shown):
        # a formula's truth is 0 or 1 that shows as a word in the language of whoever saved the file
        return number == 1
    return exact_text(number)


def _date(text: str, form: str | None) -> CellValue:
    try:
        # a fraction of a second has any number of digits
        whole = re.sub(r"(\.\d{1,6})\d*$", lambda match: match[1].ljust(7, "0"), text.removesuffix("Z"))
        moment = datetime.fromisoformat(whole)
    except ValueError:
        return error_cell(text or "of its date")
    # without a format it is a day all the same, where a number of an .xlsx file could be a time
    return cell_value(moment, form or "d")


def _time(text: str, form: str | None) -> CellValue:
    match = _DURATION.fullmatch(text)
    if not match:
        return error_cell(text or "of its time")
    sign, days, hours, minutes, seconds, fraction = match.groups(default="")
    length = timedelta(
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(6, "0")[:6]),
    )
    if sign or length >= timedelta(days=1) or "[h" in (form or ""):
        return cell_value(-length if sign else length)
    # to the millisecond, as the same cell comes from an .xlsx file
    length = timedelta(milliseconds=round(length / timedelta(milliseconds=1)))
    return cell_value((datetime.combine(_ANY_DAY, time(0)) + length).time())


def _shown(node: Any) -> str:
    """Return the text of a cell, its paragraphs on lines of their own."""
    return "\n".join(_paragraph(part) for part in node if local(part.tag) in _BLOCKS)


def _paragraph(node: Any) -> str:
    """Return the text of a paragraph: white space in the file counts once, what is meant to stand is written out."""
    pieces: list[str] = []
    after_space = True
    for text, literal in _pieces(node):
        if literal:
            pieces.append(text)
            after_space = False
            continue
        plain = re.sub(r"[ \t\r\n]+", " ", text)
        if after_space:
            plain = plain.removeprefix(" ")
        if plain:
            pieces.append(plain)
            after_space = plain.endswith(" ")
    return "".join(pieces)


def _pieces(node: Any) -> Iterator[tuple[str, bool]]:
    """Yield the texts of a paragraph in order, each with whether its white space is meant as it stands."""
    if node.text:
        yield node.text, False
    for part in node:
        tag = local(part.tag)
        if tag == "s":
            count = attributes(part).get("c", "1")
            yield " " * min(int(count) if count.isdigit() else 1, _MAX_SPACES), True
        elif tag == "tab":
            yield "\t", True
        elif tag == "line-break":
            yield "\n", True
        elif tag not in _BESIDE:
            yield from _pieces(part)
        if part.tail:
            yield part.tail, False
