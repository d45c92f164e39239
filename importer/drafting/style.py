"""Tell how texts write numbers and dates, and whether the evidence decides it."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from importer.locales import DateFormat, locale, parse_number

_LOCALES: Final = {"nb": "nb-NO", "sv": "sv-SE", "da": "da-DK", "fi": "fi-FI", "en": "en-GB", "de": "de-DE"}
#: As many texts must be read for a style to count; the others are told by `check`.
_MOST: Final = 0.8
_DATE_FORMATS: Final = (
    *("dd.mm.yyyy", "d.m.yyyy", "dd/mm/yyyy", "d/m/yyyy", "mm/dd/yyyy", "m/d/yyyy", "yyyy-mm-dd", "yyyy/mm/dd"),
    *("yyyy.mm.dd", "dd-mm-yyyy", "d-m-yyyy", "mm-dd-yyyy", "m-d-yyyy", "mm.dd.yyyy", "m.d.yyyy", "yyyymmdd"),
    *("ddmmyyyy", "dd mm yyyy", "mm dd yyyy"),
)
_SHOWN: Final = 30
_LAST_MONTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Hold the way texts are written where one fits, the ways between which the evidence does not decide, and why."""

    #: a locale or a date format; empty where none fits or several do
    name: str = ""
    #: the ways that fit and read the texts differently
    open: tuple[str, ...] = ()
    evidence: str = ""
    #: how many texts it reads
    fits: int = 0


def number_style(texts: Sequence[str], language: str) -> Style:
    """Return the locale that reads texts as numbers, the headers' own language first.

    It is decided where every locale that reads most of them reads the same numbers.
    """
    order = dict.fromkeys([_LOCALES.get(language, "nb-NO"), *_LOCALES.values()])
    readers = {name: _number_reader(name) for name in order}
    return _decide(texts, readers, _number_evidence)


def _number_reader(name: str) -> Callable[[str], object]:
    where = locale(name)

    def reader(text: str) -> object:
        number = parse_number(text, where)
        return number if isinstance(number, Decimal) else None

    return reader


def date_style(texts: Sequence[str]) -> Style:
    """Return the date format that reads texts as days; decided where no other reads them as other days."""
    return _decide(texts, {form: _date_reader(form) for form in _DATE_FORMATS}, _date_evidence)


def _date_reader(form: str) -> Callable[[str], object]:
    parse = DateFormat(form).parse

    def reader(text: str) -> object:
        day = parse(text)
        return day if isinstance(day, date) else None

    return reader


def _decide(
    texts: Sequence[str], readers: dict[str, Callable[[str], object]], evidence: Callable[[Sequence[str], str], str]
) -> Style:
    """Read texts in every way; the one way is decided where all that read the most texts read them alike."""
    distinct = list(dict.fromkeys(texts))
    readings = {name: tuple(map(reader, distinct)) for name, reader in readers.items()}
    counts = {name: sum(value is not None for value in found) for name, found in readings.items()}
    most = max(counts.values(), default=0)
    if not distinct or most < _MOST * len(distinct):
        return Style()
    best = [name for name, count in counts.items() if count == most]
    kinds: dict[tuple[object, ...], str] = {}
    for name in best:
        kinds.setdefault(readings[name], name)
    ways = tuple(kinds.values())
    if len(ways) > 1:
        return Style(open=ways, evidence=_both(distinct, readings, ways), fits=most)
    return Style(name=best[0], evidence=evidence(distinct, best[0]), fits=most)


def _both(texts: Sequence[str], readings: dict[str, tuple[object, ...]], ways: Sequence[str]) -> str:
    """Name a text that two ways read differently, with both readings."""
    one, two = ways[0], ways[1]
    text, first, second = next(
        (text, first, second)
        for text, first, second in zip(texts, readings[one], readings[two], strict=True)
        if first != second
    )
    told = [
        f"{value} ({name})" if value is not None else f"nothing ({name})"
        for value, name in ((first, one), (second, two))
    ]
    return f"{brief(text)} can be read as {told[0]} or as {told[1]}"


def _number_evidence(texts: Sequence[str], name: str) -> str:
    point = locale(name).decimal
    # the longest shows the groups of digits too
    telling = max((text for text in texts if point in text), key=len, default=texts[0])
    mark = {",": "decimal comma", ".": "decimal point"}.get(point, point)
    return f"text such as {brief(telling)}: {mark}"


def _date_evidence(texts: Sequence[str], form: str) -> str:
    if form.startswith("yyyy"):
        return f"text such as {brief(texts[0])}: the year comes first"
    reader = DateFormat(form)
    for text in texts:
        day = reader.parse(text)
        if isinstance(day, date) and day.day > _LAST_MONTH:
            first = "day first" if form.startswith("d") else "month first"
            return f"text such as {brief(text)}: {first}, since {day.day} cannot be a month"
    return f"text such as {brief(texts[0])}"


def brief(text: str) -> str:
    """Write a cell's text for a comment, in quotes and not too long."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def language_locale(language: str) -> str:
    """Return the usual locale of a language."""
    return _LOCALES.get(language, "nb-NO")


def shape_of(texts: Iterable[str]) -> frozenset[str]:
    """Return how texts look with all numbers the same but years, so that columns written alike can be told."""
    return frozenset(re.sub("[0-9]+", "9", re.sub("[0-9]{4,}", "year", text)) for text in texts)
