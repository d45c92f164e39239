"""Texts are read as numbers and dates by the declared locale and format only, exactly or not at all."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from converting import DAY, code, field, where
from hypothesis import given
from hypothesis import strategies as st

from importer.fields import Kind
from importer.jsontext import plain
from importer.locales import DateFormat, locale, parse_number
from importer.model import Fault

LOCALES = ("nb-NO", "nn-NO", "sv-SE", "da-DK", "fi-FI", "en-GB", "de-DE")
COMMA = ("nb-NO", "nn-NO", "sv-SE", "da-DK", "fi-FI", "de-DE")
NORDIC_SPACE = ("nb-NO", "nn-NO", "sv-SE", "fi-FI")
GROUPS_BY_POINT = ("da-DK", "de-DE")
# -- texts that are numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "locales", "number"),
    [
        ("1234,5", COMMA, "1234.5"),
        ("1234.5", ("en-GB",), "1234.5"),
        ("1.234,50", COMMA, "1234.50"),
        ("1 234,50", COMMA, "1234.50"),
        ("1,234.50", ("en-GB",), "1234.50"),
        ("1'234.50", ("en-GB",), "1234.50"),
        ("(32,00)", COMMA, "-32.00"),
        ("(32.00)", ("en-GB",), "-32.00"),
        ("32-", (None, *LOCALES), "-32"),
        ("kr 32,-", COMMA, "32"),
        ("NOK 1 234,50", COMMA, "1234.50"),
        ("1 234,50 kr", COMMA, "1234.50"),
        ("-1 234,50", COMMA, "-1234.50"),
        ("\u22121 234,50", COMMA, "-1234.50"),
        ("29 000", LOCALES, "29000"),
        ("29\u00a0000", LOCALES, "29000"),
        ("29\u202f000", LOCALES, "29000"),
        ("29\u2007000", LOCALES, "29000"),
        ("1\u00a0234\u00a0567,89", COMMA, "1234567.89"),
        ("1.234.567", COMMA, "1234567"),
        ("1,234,567", ("en-GB",), "1234567"),
        ("1.234", GROUPS_BY_POINT, "1234"),
        ("1,234", COMMA, "1.234"),
        ("1.234", ("en-GB",), "1.234"),
        ("1,234", ("en-GB",), "1234"),
        ("1234", (None, *LOCALES), "1234"),
        ("-12", (None, *LOCALES), "-12"),
        ("007", (None, *LOCALES), "7"),
        ("1.234,-", GROUPS_BY_POINT, "1234"),
        ("32,--", COMMA, "32"),
        ("32,\u2013", COMMA, "32"),
        ("32:-", LOCALES, "32"),
        ("-32,-", COMMA, "-32"),
        ("(kr 1 234,50)", COMMA, "-1234.50"),
        ("kr (32,00)", COMMA, "-32.00"),
        ("32,00- kr", COMMA, "-32.00"),
        ("32 kroner", COMMA, "32"),
        ("32,50 kronor", COMMA, "32.50"),
        ("32,50 euroa", COMMA, "32.50"),
        ("US$ 1,234.50", ("en-GB",), "1234.50"),
        ("kr. 50", (*LOCALES,), "50"),
        ("-0", (None, *LOCALES), "0"),
        ("+5", LOCALES, "5"),
    ],
)
def test_a_number_is_read_as_its_locale_writes_it(text: str, locales: tuple[str | None, ...], number: str) -> None:
    """Separators, minus signs, parentheses and currencies are read by the declared locale, to the last digit."""
    assert {name: parse_number(text, where(name)) for name in locales} == dict.fromkeys(locales, Decimal(number))


@pytest.mark.parametrize(
    ("text", "locales"),
    [
        ("1234,5", (None, "en-GB")),
        ("1234.5", (None, *COMMA)),
        ("1.234,50", (None, "en-GB")),
        ("1,234.50", (None, *COMMA)),
        ("1'234.50", (None, *COMMA)),
        ("1.000", (None, *NORDIC_SPACE)),
        ("1,000", (None,)),
        ("(32,00)", (None, "en-GB")),
        ("kr 32,-", (None,)),
        ("1 234", (None,)),
        ("1.5", (None, *COMMA)),
        ("1,5", (None, "en-GB")),
        ("1 23", LOCALES),
        ("12 34", LOCALES),
        ("1234 567", LOCALES),
        ("1.234.56", LOCALES),
        ("1.000 000", LOCALES),
        ("1.000,00.0", LOCALES),
        ("5,", LOCALES),
        (",5", LOCALES),
        ("5%", (None, *LOCALES)),
        ("--5", (None, *LOCALES)),
        ("-(5)", (None, *LOCALES)),
        ("(-5)", (None, *LOCALES)),
        ("-5-", (None, *LOCALES)),
        ("1d", (None, *LOCALES)),
        ("10f", (None, *LOCALES)),
        ("0x1p3", (None, *LOCALES)),
        ("0x10", (None, *LOCALES)),
        ("1L", (None, *LOCALES)),
        ("NaN", (None, *LOCALES)),
        ("Infinity", (None, *LOCALES)),
        ("1e5", (None, *LOCALES)),
        ("1E5", (None, *LOCALES)),
        ("1,23E+15", (None, *LOCALES)),
        ("1_000", (None, *LOCALES)),
        ("１２", (None, *LOCALES)),
        ("٣", (None, *LOCALES)),
        ("-", (None, *LOCALES)),
        ("kr", (None, *LOCALES)),
        ("NULL", (None, *LOCALES)),
        ("a", (None, *LOCALES)),
        ("1/2", (None, *LOCALES)),
        ("+-5", (None, *LOCALES)),
        ("++5", (None, *LOCALES)),
        ("+(5)", (None, *LOCALES)),
        ("0.500", (None, *COMMA)),
        ("0,500", (None, "en-GB")),
        ("00 123", (None, *LOCALES)),
        ("1.234,-", ("en-GB", *NORDIC_SPACE)),
        ("kr.50", (None, "en-GB")),
        ("1\u200b234", (None, *LOCALES)),
        ("kr 32 NOK", (None, *LOCALES)),
    ],
)
def test_a_text_that_may_be_another_number_is_refused(text: str, locales: tuple[str | None, ...]) -> None:
    """What the locale does not write so, and what only a programming language reads, is a fault with its value."""
    results = {name: parse_number(text, where(name)) for name in locales}

    assert {name: result for name, result in results.items() if not isinstance(result, Fault)} == {}
    assert {result.shown for result in results.values() if isinstance(result, Fault)} == {text}


AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=4) | (
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6, places=2)
)


@given(AMOUNTS, st.sampled_from(LOCALES))
def test_what_a_locale_writes_it_reads_back(number: Decimal, name: str) -> None:
    """Any amount, written with the locale's own separators and minus, is read back as the same decimal."""
    written = format_decimal(number, locale=name.replace("-", "_"), decimal_quantization=False)

    assert parse_number(written, locale(name)) == number


#: As people and programs change what a locale writes: other spaces, other minus signs, the minus behind.
SPACES = (" ", "\u00a0", "\u2007", "\u2009", "\u202f")
MINUSES = ("-", "\u2212", "\u2012", "\u2013")
CURRENCIES = ("NOK", "SEK", "DKK", "EUR", "USD", "GBP", "CHF", "ISK")


@given(
    AMOUNTS,
    st.sampled_from(LOCALES),
    st.sampled_from(CURRENCIES),
    st.sampled_from(("standard", "accounting")),
    st.sampled_from(SPACES),
    st.sampled_from(MINUSES),
)
def test_what_a_locale_writes_with_a_currency_it_reads_back(
    number: Decimal, name: str, currency: str, style: Any, space: str, minus: str
) -> None:
    """C5, C6: an amount with its currency or in parentheses is the same decimal with any space or minus."""
    options: dict[str, Any] = {"currency_digits": False, "decimal_quantization": False}
    written = format_currency(number, currency, locale=name.replace("-", "_"), format_type=style, **options)
    typed = re.sub("[\u00a0\u202f]", space, written).replace("\u2212", "-").replace("-", minus)

    assert parse_number(typed, locale(name)) == number


@given(AMOUNTS, st.sampled_from(LOCALES), st.sampled_from(MINUSES))
def test_a_minus_behind_is_the_minus_before(number: Decimal, name: str, minus: str) -> None:
    """C5: accounting programs write `32,00-` for what others write `-32,00`."""
    written = format_decimal(abs(number), locale=name.replace("-", "_"), decimal_quantization=False)

    assert parse_number(written + minus, locale(name)) == -abs(number)


@given(AMOUNTS, st.sampled_from(LOCALES), st.sampled_from(LOCALES))
def test_another_locale_reads_the_same_or_refuses_unless_its_own_marks_say_otherwise(
    number: Decimal, writer: str, reader: str
) -> None:
    """C5: what one locale writes another never reads as a hundredfold: only one mark in its own sense may differ."""
    written = format_decimal(number, locale=writer.replace("-", "_"), decimal_quantization=False)
    result = parse_number(written, locale(reader))

    if not isinstance(result, Fault) and result != number:
        known = locale(reader)
        (mark,) = {char for char in written if char in ".,"}
        whole, _, part = written.partition(mark)
        assert mark in {known.decimal, known.group}
        assert len(part) == 3 or mark == known.group
        assert whole.strip("-\u2212")[:1] != "0" or mark == known.decimal


@given(st.from_regex(r"-?[0-9]{1,3}[.,][0-9]{3}", fullmatch=True), st.sampled_from((None, *LOCALES)))
def test_one_mark_before_three_digits_is_never_taken_silently(text: str, name: str | None) -> None:
    """`1.000` is one or a thousand: it is read only where the locale uses that very mark, and then in its sense."""
    known, result = where(name), parse_number(text, where(name))
    mark = "." if "." in text else ","

    no_group = known is not None and mark == known.group and text.lstrip("-").startswith("0")
    if known is None or mark not in {known.decimal, known.group} or no_group:
        assert isinstance(result, Fault)
    else:
        assert result == Decimal(text.replace(mark, "." if mark == known.decimal else ""))


@given(st.text(max_size=12) | st.text(alphabet="0123456789., '-+()krE\u00a0", max_size=12), st.sampled_from(LOCALES))
def test_any_text_is_a_number_or_a_fault(text: str, name: str) -> None:
    """No text breaks the reading, and what is read has exactly the digits of the text."""
    result = parse_number(text, locale(name))

    if isinstance(result, Fault):
        assert result.shown == text
    else:
        assert "".join(map(str, result.as_tuple().digits)).lstrip("0") == "".join(
            char for char in text if char in "0123456789"
        ).lstrip("0")


@pytest.mark.parametrize("text", ["-12345678901234567890123456789,12", "-98765432109876543210987654321098765"])
def test_a_very_long_number_loses_no_digit(text: str) -> None:
    """More digits than decimal arithmetic keeps by default are kept or refused, never rounded off."""
    result = parse_number(text, locale("nb-NO"))

    assert isinstance(result, Fault) or plain(result) == text.replace(",", ".")


# -- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form", "name", "expected"),
    [
        ("27.01.2025", "dd.mm.yyyy", None, DAY),
        ("01/02/2025", "dd/mm/yyyy", None, date(2025, 2, 1)),
        ("01/02/2025", "mm/dd/yyyy", None, date(2025, 1, 2)),
        ("20250127", "yyyymmdd", None, DAY),
        (20250127, "yyyymmdd", None, DAY),
        ("27.01.2025", None, "nb-NO", DAY),
        ("2.1.2025", None, "nb-NO", date(2025, 1, 2)),
        ("2025-01-27", None, "nb-NO", DAY),
        ("2025-01-27", None, None, DAY),
        ("01/02/2025", None, "en-GB", date(2025, 2, 1)),
        ("2025-1-2", None, "sv-SE", date(2025, 1, 2)),
        (datetime.fromisoformat("2025-01-27T23:59:59.999"), None, None, DAY),
        (DAY, "mm/dd/yyyy", None, DAY),
    ],
)
def test_a_date_is_read_in_its_declared_format_only(
    text: Any, form: str | None, name: str | None, expected: date
) -> None:
    """A text is a date where mapping or locale say how; a cell that Excel holds as a date needs no format."""
    assert field(text, Kind.DATE, name, date_format=DateFormat(form) if form else None) == expected


@pytest.mark.parametrize(
    ("text", "form", "name"),
    [
        ("01/27/2025", "dd/mm/yyyy", None),
        ("27/01/2025", "mm/dd/yyyy", None),
        ("09-01-2025", None, None),
        ("09-01-2025", None, "nb-NO"),
        ("01/02/2025", None, "nb-NO"),
        ("01/02/2025", None, "en"),
        ("31.02.2025", "dd.mm.yyyy", None),
        ("29.02.2025", "dd.mm.yyyy", None),
        ("00.01.2025", "dd.mm.yyyy", None),
        ("27.01.25", "dd.mm.yyyy", None),
        ("31.12.55", None, "nb-NO"),
        ("2025-01-27", "dd.mm.yyyy", None),
        ("7.1.2025", "dd.mm.yyyy", None),
        ("２７.01.2025", "dd.mm.yyyy", None),
        (45684, None, "nb-NO"),
        ("45684", None, "nb-NO"),
        (43831, "dd.mm.yyyy", None),
        (True, None, "nb-NO"),
        (time(10, 30), None, "nb-NO"),
    ],
)
def test_a_date_that_must_be_guessed_is_refused(text: Any, form: str | None, name: str | None) -> None:
    """Day and month are never swapped, no century is made up, no serial number is taken for a day."""
    result = field(text, Kind.DATE, name, date_format=DateFormat(form) if form else None)

    assert code(result) in {"not_a_date", "date_format"}


@given(st.dates(date(1900, 3, 1), date(2099, 12, 31)), st.sampled_from(LOCALES))
def test_a_day_that_a_locale_writes_is_the_same_day_in_every_locale_that_reads_it(day: date, name: str) -> None:
    """C9: the short form with the whole year is read back; no other locale of the seven makes another day of it."""
    short = str(format_pattern(name))
    written = format_date(day, re.sub("y+", "yyyy", short), locale=name.replace("-", "_"))
    found = {other: field(written, Kind.DATE, other) for other in LOCALES}

    assert found[name] == day
    assert {other: result for other, result in found.items() if not isinstance(result, Fault) and result != day} == {}


def format_pattern(name: str) -> Any:
    """Return how a locale writes a date briefly, by Babel."""
    return Locale.parse(name.replace("-", "_")).date_formats["short"].pattern


@pytest.mark.parametrize(
    "form", ["dd.mm.yy", "yy-mm-dd", "dd.mm", "mm.yyyy", "yyyy", "", "dd.mmm.yyyy", "dd.mm.yyyy hh"]
)
def test_a_format_without_one_day_month_and_full_year_is_refused(form: str) -> None:
    """A year of two digits is refused where it is declared."""
    with pytest.raises(ValueError, match=r"one day|year as yyyy|not known"):
        DateFormat(form)


@pytest.mark.parametrize("cell", [date(1900, 2, 28), datetime.fromisoformat("1900-02-28T00:00:00"), date(1900, 1, 1)])
def test_a_date_before_march_1900_is_refused(cell: date) -> None:
    """Excel counts a 29 February 1900 that never was, so days before it are off by one."""
    assert code(field(cell, Kind.DATE)) == "date_before_1900"


def test_a_duration_is_no_value() -> None:
    """A cell that holds more than a day of hours is a problem, in any field."""
    assert {code(field(timedelta(hours=30), kind)) for kind in Kind} == {"duration"}


def test_a_date_time_keeps_the_time_of_the_cell() -> None:
    """A date-time field takes the cell's own time, midnight for a bare date, and never shifts it."""
    moment = datetime.fromisoformat("2025-01-27T23:59:59")

    assert field(moment, Kind.DATETIME) == moment
    assert field(DAY, Kind.DATETIME) == datetime.fromisoformat("2025-01-27T00:00:00")
    assert field("2025-01-27T10:00:00Z", Kind.DATETIME) == datetime.fromisoformat("2025-01-27T10:00:00")
