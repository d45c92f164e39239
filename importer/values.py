"""Turn what a cell holds into the exact value a field wants, or into the reason why it cannot be.

Money is Decimal from here on; nothing after this module sees a float. Nothing is guessed: a text that two readings fit
is refused until the mapping declares which is meant.
"""

import math
import re
import unicodedata
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from dataclasses import field as data_field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from importer.fields import Field, Kind
from importer.formats import fraction
from importer.jsontext import plain
from importer.locales import BOOLEAN_WORDS, DateFormat, Locale, parse_number
from importer.model import ABSENT, CellValue, Fault, FieldValue
from importer.rules import UNSEEN, check_rules

#: White space that people do not see: it is taken off both ends of a text, line breaks are not.
_EDGE: Final = " \t\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))) + UNSEEN
_MAX_EXACT: Final = 2**53
_NOISE_ULPS: Final = 4
_EXCEL_DIGITS: Final = 15
_FEW_DIGITS: Final = 13
#: The power of ten below which doubles have fewer digits.
_SMALLEST: Final = -300
#: From here on a 16th digit is a cent, so that noise and a cent cannot be told apart.
_CENTS_LOST: Final = 10**13
_GENERAL_DIGITS: Final = 11
_FIRST_EXCEL_DAY: Final = date(1900, 3, 1)
_SHORTENED: Final = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}")
#: Control characters but tab and line breaks, of which U+0085 is one, and halves of characters.
_UNSENDABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_ROUNDINGS: Final = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Hold how a cell becomes the value of one field: the field's type and the mapping's options."""

    field: Field
    kind: Kind
    date_format: DateFormat | None = None
    decimals: int | None = None
    round: str | None = None
    codes: Dictionary[str, FieldValue] = data_field(default_factory=dict)
    pad: int | None = None
    displayed: bool = False
    pattern: str | None = None
    #: whole-number cells may be this text: their digits (the key of a create)
    digits_allowed: bool = False


def exact(number: float) -> Decimal | Fault:
    """Return the decimal that a cell's number stands for.

    A float becomes its shortest decimal; a difference of at most 4 ulps to a decimal of 15 digits is the noise of
    binary arithmetic and is dropped. A real 16th digit is kept: one behind 15 digits that are used already, where
    noise would stand behind a row of zeros or nines.
    """
    if isinstance(number, int) or number.is_integer():
        whole = int(number)
        return Decimal(whole) if abs(whole) <= _MAX_EXACT else _too_many_digits(str(whole))
    if not math.isfinite(number):
        return Fault("not_finite", str(number), "The cell holds no finite number; type the number again.")
    if abs(number) > _MAX_EXACT:
        return _too_many_digits(plain(Decimal(repr(number))))
    shortest, short = Decimal(repr(number)), Decimal(f"{number:.{_EXCEL_DIGITS}g}")
    near = abs(float(short) - number) <= _NOISE_ULPS * math.ulp(number)
    if near and not (_digits(shortest) == _EXCEL_DIGITS + 1 and _digits(short) > _FEW_DIGITS):
        if abs(number) >= _CENTS_LOST and short != shortest:
            return _too_many_digits(plain(shortest))
        return short if short else Decimal(0)
    return shortest


def exact_text(number: Decimal) -> Decimal | Fault:
    """Return a number written as decimal text, as far as the program that wrote it can have held it.

    Programs hold doubles: 15 digits are what the user typed, more are a double written out, and digits that no double
    has were never held by a spreadsheet.
    """
    if not number.is_finite():
        return Fault("not_finite", str(number), "The cell holds no finite number; type the number again.")
    if _digits(number) <= _EXCEL_DIGITS and (not number or _SMALLEST < number.adjusted() < _EXCEL_DIGITS):
        return Decimal(plain(number.normalize())) if number else Decimal(0)
    double = float(number)
    found = exact(double)
    if isinstance(found, Decimal) and all(number != Decimal(f"{double:.{size}g}") for size in (17, 16, 15)):
        return Fault(
            "too_many_digits",
            f"{number:f}",
            "The number has more digits than a spreadsheet keeps (15), so some may be lost already. Format the column "
            "as text and type the number again.",
        )
    return found


def _digits(number: Decimal) -> int:
    """Count the digits of a decimal that are not zeros at its end."""
    digits = number.as_tuple().digits
    count = len(digits)
    while count and not digits[count - 1]:
        count -= 1
    return count


def _too_many_digits(shown: str) -> Fault:
    return Fault(
        "too_many_digits",
        shown,
        "The number has more digits than Excel keeps (15), so some are lost already. "
        "Format the column as text and paste the number again.",
    )


def clean(text: str) -> str:
    """Return a text in NFC without unseen white space around it; line breaks and the interior are kept."""
    return unicodedata.normalize("NFC", text).strip(_EDGE)


def clean_header(text: str) -> str:
    """Return a header as headers are compared: on one line, each gap one space, without unseen characters."""
    return clean(" ".join(text.translate(dict.fromkeys(map(ord, UNSEEN))).split()))


def shown(value: object) -> str:
    """Write any value as a message shows it."""
    if isinstance(value, Fault):
        return value.shown
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def cell_value(raw: object, number_format: str | None = None) -> CellValue:
    """Return what a cell of a workbook holds, exactly; a text is cleaned, a blank one is None."""
    if raw is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        return clean(raw) or None
    if isinstance(raw, int | float):
        return exact(raw)
    if isinstance(raw, datetime | date):
        return _day(raw, number_format)
    if isinstance(raw, time):
        return raw
    if isinstance(raw, timedelta):
        return Fault("duration", str(raw), "The cell holds a duration, which no field takes; type it as text.")
    return Fault("cell_type", str(raw), f"The cell holds a {type(raw).__name__}, which no field takes.")


def _day(raw: date, number_format: str | None) -> CellValue:
    day = raw.date() if isinstance(raw, datetime) else raw
    if day < _FIRST_EXCEL_DAY:
        shows_day = set("dy") & set((number_format or "").lower())
        if isinstance(raw, datetime) and day.year < _FIRST_EXCEL_DAY.year and not shows_day:
            return raw.time()
        return Fault(
            "date_before_1900",
            str(day),
            "Excel counts a day in February 1900 that never was, so this date is not reliable. Type it as text.",
        )
    if isinstance(raw, datetime) and raw.time() == time(0) and "h" not in (number_format or "").lower():
        return day
    return raw


def convert(value: CellValue, options: Options, locale: Locale | None, number_format: str | None) -> FieldValue | Fault:
    """Return the value a field takes from a cell; ABSENT for a blank."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, Fault):
        return value
    if options.codes:
        return _code(value, options)
    percent = fraction(value, number_format) if number_format and options.field.in_percent else None
    result = percent or _CONVERTERS[options.kind](value, options, locale, number_format)
    if isinstance(result, Fault):
        return result
    if options.field.kind in {Kind.TEXT, Kind.UUID} and not isinstance(result, str):
        result = written(result)
    return check_rules(result, options.field, options.pattern)


def written(value: FieldValue) -> str:
    """Write a value as text: a decimal plainly, a date as `2025-01-27`, a boolean as true or false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _code(value: CellValue, options: Options) -> FieldValue | Fault:
    text = shown(value)
    for spelling in (text, text.lower(), text.capitalize()) if isinstance(value, bool) else (text,):
        if spelling in options.codes:
            return options.codes[spelling]
    known = ", ".join(list(options.codes)[:12])
    return Fault(
        "not_in_map",
        text,
        f"{text!r} is not in the mapping's code list ({known}). Correct the cell or add it to map.",
    )


def _text(value: CellValue, options: Options, _locale: Locale | None, number_format: str | None) -> FieldValue | Fault:
    if isinstance(value, str):
        if bad := _UNSENDABLE.search(value):
            message = f"The text holds the control character U+{ord(bad[0]):04X}, which cannot be sent. Type it again."
            return Fault("control_character", value, message)
        if _SHORTENED.fullmatch(value):
            message = f"{value!r} is a long number that Excel shortened, so digits are lost. Type it again as text."
            return Fault("shortened_number", value, message)
        return value.zfill(options.pad) if options.pad and value.isascii() and value.isdigit() else value
    if isinstance(value, Decimal):
        return _number_as_text(value, options, number_format)
    if isinstance(value, bool):
        return Fault(
            "boolean_in_text",
            shown(value),
            "The cell holds TRUE or FALSE, but the field takes text. Use map.",
        )
    return Fault(
        "date_in_text",
        shown(value),
        "Excel holds this cell as a date or a time, but the field takes text. Format the column as text and type it "
        "again, or say type: date in the mapping.",
    )


def _number_as_text(value: Decimal, options: Options, number_format: str | None) -> FieldValue | Fault:
    digits = plain(value)
    whole = value >= 0 and value == value.to_integral_value()
    if whole:
        digits = plain(value.to_integral_value())
        if options.pad:
            return digits.zfill(options.pad)
        if options.digits_allowed and not options.displayed:
            return digits
    if options.displayed:
        display = displayed(value, number_format)
        if display is not None:
            return display
        return Fault(
            "not_displayable",
            digits,
            f"How Excel displays {digits} with its format {number_format!r} is not certain. "
            "Format the column as text and type it again.",
        )
    return Fault(
        "number_in_text",
        digits,
        "Excel holds this cell as a number, but the field takes text, so leading zeros may be lost. Format the column "
        "as text and type it again, or say in the mapping: pad: N (fill up with zeros to N digits) or as: displayed.",
    )


def displayed(value: Decimal, number_format: str | None) -> str | None:
    """Return a number as Excel displays it, where that is certain: whole numbers as General, `0` or `0000`."""
    form = number_format or "General"
    if value < 0 or value != value.to_integral_value() or _digits(value) > _EXCEL_DIGITS:
        return None
    digits = plain(value.to_integral_value())
    if form in {"General", "@"}:
        return digits if len(digits) <= _GENERAL_DIGITS else None
    if re.fullmatch("0+", form):
        return digits.zfill(len(form))
    return digits if form == "#" and value else None


def _decimal(value: CellValue, options: Options, locale: Locale | None, _format: str | None) -> FieldValue | Fault:
    number = _number(value, locale)
    if isinstance(number, Fault) or options.decimals is None:
        return number
    part = plain(number).partition(".")[2].rstrip("0")
    if len(part) <= options.decimals:
        return number
    if options.round:
        with localcontext(prec=len(plain(number)) + options.decimals + 1):
            return number.quantize(Decimal(1).scaleb(-options.decimals), rounding=_ROUNDINGS[options.round])
    return Fault(
        "too_many_decimals",
        plain(number),
        f"{plain(number)} has more than {options.decimals} decimals. Correct the cell, or say round: half_up.",
    )


def _number(value: CellValue, locale: Locale | None) -> Decimal | Fault:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        return parse_number(value, locale)
    kind = "TRUE or FALSE" if isinstance(value, bool) else "a date or a time"
    return Fault(
        "not_a_number",
        shown(value),
        f"The cell holds {kind}, but the field takes a number. Correct the cell.",
    )


def _integer(value: CellValue, _options: Options, locale: Locale | None, _format: str | None) -> FieldValue | Fault:
    number = _number(value, locale)
    if isinstance(number, Fault):
        return number
    if number != number.to_integral_value():
        return Fault("not_whole", plain(number), f"{plain(number)} is not a whole number. Correct the cell.")
    return int(number)


def _boolean(value: CellValue, _options: Options, locale: Locale | None, _format: str | None) -> FieldValue | Fault:
    if isinstance(value, bool):
        return value
    words = BOOLEAN_WORDS[""] | (BOOLEAN_WORDS.get(locale.language, {}) if locale else {})
    if isinstance(value, str) and value.casefold() in words:
        return words[value.casefold()]
    known = ", ".join(sorted(words))
    return Fault(
        "not_a_boolean",
        shown(value),
        f"{shown(value)!r} is neither yes nor no here (known: {known}). Correct the cell, or translate it in the "
        f"mapping: map: {{{shown(value)}: true, ...}}.",
    )


def _date(value: CellValue, options: Options, locale: Locale | None, _format: str | None) -> FieldValue | Fault:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return _typed_date(value, options, locale)


def _datetime(value: CellValue, options: Options, locale: Locale | None, _format: str | None) -> FieldValue | Fault:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the sheet's own day
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z?", value):
        try:
            return datetime.fromisoformat(value.removesuffix("Z"))
        except ValueError:
            return Fault("not_a_date", value, f"{value!r} is not a date and time that exists. Correct the cell.")
    day = _typed_date(value, options, locale)
    return day if isinstance(day, Fault) else datetime(day.year, day.month, day.day)  # noqa: DTZ001


def _typed_date(value: CellValue, options: Options, locale: Locale | None) -> date | Fault:
    if isinstance(value, Decimal) and options.date_format and options.date_format.digits_only:
        value = plain(value)
    if not isinstance(value, str):
        return Fault(
            "not_a_date",
            shown(value),
            f"The cell holds {shown(value)}, not a date. Format the cell as a date in Excel.",
        )
    formats = [options.date_format] if options.date_format else [DateFormat("yyyy-mm-dd")]
    if not options.date_format and locale and locale.date_format:
        formats.append(locale.date_format)
    for form in formats:
        day = form.parse(value)
        if isinstance(day, date):
            return day
        if day is DateFormat.NO_SUCH_DAY:
            return Fault("not_a_date", value, f"{value!r} is not a day that exists. Correct the cell.")
    if options.date_format or (locale and locale.date_format):
        return Fault(
            "not_a_date",
            value,
            f"{value!r} is not a date written as {formats[-1].text}. Correct the cell or the format.",
        )
    return Fault(
        "date_format",
        value,
        f"{value!r} is text, and the mapping does not say how dates are written. Say for instance format: dd.mm.yyyy.",
    )


_CONVERTERS: Final = {
    Kind.TEXT: _text,
    Kind.UUID: _text,
    Kind.DECIMAL: _decimal,
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
}
