"""Tell what the cells of a column ask of the field they feed: options, evidence, and doubt."""

import re
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Final

from importer.convert import period
from importer.drafting.column import Column, counted
from importer.drafting.style import Style, brief, date_style, shape_of
from importer.drafting.words import Words, comparable
from importer.fields import Field, Kind
from importer.formats import format_code
from importer.jsontext import plain
from importer.locales import BOOLEAN_WORDS, DateFormat, Locale
from importer.model import Fault
from importer.values import Options, convert

#: A column is drafted as a line while no more than this share of its cells does not fit; `check` names those.
_BAD: Final = 0.2
_MOST_CODES: Final = 12
_COUNTRY_LANGUAGES: Final = ("nb", "nn", "sv", "da", "fi", "en", "de")
_CODES: Final = {
    "currencyId": ("[A-Z]{3}", "currencies as three capital letters"),
    "countryId": ("[A-Z]{2}", "countries as two capital letters"),
}
_MOST_VAT_CODES: Final = 8
#: Texts that other readers of YAML take for something else.
_WORDS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Hold what a column asks of its field: options that are sure, options that are not, what was seen, and doubt."""

    options: Pairs = ()
    doubtful_options: Pairs = ()
    evidence: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Hold what is known of the whole sheet: its locale where decided, and the dates of other columns."""

    words: Words
    locale: Locale | None
    #: how other columns write dates, by the look of their texts: the format and the header that decides it
    dates: Dictionary[frozenset[str], tuple[str, str]]


def shape(column: Column, field: Field, around: Surroundings) -> Shape:
    """Return what a column asks of a field."""
    if not column.cells:
        return Shape(evidence="no cell holds anything", doubt="doubtful: the column is empty")
    if field.members is not None:
        return Shape(evidence=column.kinds())
    if field.name == "period":
        return _period(column)
    kind = Kind.TEXT if field.kind is Kind.UUID else field.kind or Kind.TEXT
    if field.enum:
        found = _enum(column, field, around)
    elif field.name in _CODES:
        found = _codes(column, field)
    else:
        found = _SHAPES[kind](column, field, around)
    return found if found.doubt else _tested(column, field, found, around)


def _tested(column: Column, field: Field, found: Shape, around: Surroundings) -> Shape:
    """Convert every cell as the mapping would, and doubt the match where too many do not fit."""
    options = dict(found.options)
    if "map" in options or found.doubtful_options:
        return found
    given = Options(
        field=field,
        kind=field.kind or Kind.TEXT,
        date_format=DateFormat(options["format"]) if "format" in options else None,
        pad=int(options["pad"]) if "pad" in options else None,
        displayed="as" in options,
        digits_allowed=field.name == "key",
    )
    results = [convert(cell, given, around.locale, row.formats.get(column.spot)) for row, cell in column.cells]
    faults = [result for result in results if isinstance(result, Fault)]
    if not faults:
        return found
    told = f"{len(faults)} of {counted(len(results), 'cell')} {'do' if len(faults) > 1 else 'does'} not fit"
    told += f", such as {brief(faults[0].shown)}" if faults[0].shown else ""
    # numbers that are text wait for the locale, which has a question of its own
    waiting = field.kind in {Kind.DECIMAL, Kind.INTEGER} and around.locale is None
    if len(faults) > _BAD * len(results) and not waiting:
        return replace(found, doubt=f"doubtful: {told}")
    return replace(found, evidence=f"{found.evidence}; {told}")


def _text(column: Column, field: Field, _around: Surroundings) -> Shape:
    if column.dates + column.booleans > _BAD * len(column.cells):
        return Shape(evidence=column.kinds(), doubt=f"doubtful: {field.name} takes text, and these are not")
    if field.name == "vatCodeId" and (rates := _rates(column)):
        return rates
    if not column.numbers:
        return Shape(evidence=_texts(column))
    return _numbers_as_text(column)


def _texts(column: Column) -> str:
    widths = {len(text) for text in column.texts}
    told = column.kinds()
    if len(widths) == 1 and all(map(_digits, column.texts)):
        told += f", all of {counted(widths.pop(), 'digit')}"
    if any(text.startswith("0") and _digits(text) for text in column.texts):
        told += ", leading zeros kept"
    return told


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _numbers_as_text(column: Column) -> Shape:
    """Propose what to do with numbers in a text field: Excel may have taken their leading zeros."""
    wholes = [plain(number.to_integral_value()) for number in column.numbers if _is_whole(number)]
    if len(column.numbers) - len(wholes) > _BAD * len(column.cells):
        return Shape(evidence=column.kinds(), doubt="doubtful: the field takes text, and these are no whole numbers")
    count, whole = len(column.numbers), len(column.cells)
    told = f"{count} of {whole} are numbers" if count < whole else f"all {whole} are numbers"
    formats = {row.formats.get(column.spot, "") for row, cell in column.cells if isinstance(cell, Decimal)}
    if len(formats) == 1 and re.fullmatch("00+", form := next(iter(formats))):
        return Shape(options=(("pad", str(len(form))),), evidence=f"{told}, shown by Excel with {len(form)} digits")
    widths = {len(text) for text in wholes}
    texts = {len(text) if _digits(text) else 0 for text in column.texts}
    if len(widths | texts) == 1:
        return Shape(options=(("as", "displayed"),), evidence=f"{told}, all of {counted(max(widths), 'digit')}")
    width = max(widths | texts)
    if len(texts) == 1 and max(texts) == width:
        told += f", the texts have {width} digits"
    told += ", leading zeros may be lost: pad puts them back, as: displayed leaves the numbers as they are"
    return Shape(doubtful_options=(("pad", str(width)),), evidence=told)


def _is_whole(number: Decimal) -> bool:
    return number >= 0 and number == number.to_integral_value()


def _rates(column: Column) -> Shape | None:
    """Tell rates and amounts from VAT codes."""
    if any("%" in text for text in column.texts) or "%" in column.header:
        return _map_to_fill(column, "the field takes your VAT codes, and these are rates: say which code each is")
    whole = all(number == number.to_integral_value() for number in column.numbers)
    if column.numbers and (not whole or len(set(column.numbers)) > _MOST_VAT_CODES):
        return Shape(evidence=column.kinds(), doubt="doubtful: the field takes VAT codes, and these look like amounts")
    return None


def _map_to_fill(column: Column, doubt: str, known: Dictionary[str, str] | None = None) -> Shape:
    """Propose a code list with a ? for each value that a person has to say."""
    values = list(column.distinct)
    if len(values) > _MOST_CODES:
        return Shape(evidence=f"{len(values)} different values", doubt=f"doubtful: {doubt}")
    codes = ", ".join(f"{scalar(value)}: {(known or {}).get(value, '?')}" for value in values)
    return Shape(options=(("map", f"{{{codes}}}"),), evidence=_counted(column), doubt=f"doubtful: {doubt}")


def _counted(column: Column) -> str:
    told = ", ".join(f"{brief(value)} ({count})" for value, count in column.distinct.most_common(4))
    more = len(column.distinct) - 4
    return told + (f" and {more} more" if more > 0 else "")


def _enum(column: Column, field: Field, around: Surroundings) -> Shape:
    values = list(column.distinct)
    if set(values) <= set(field.enum):
        return Shape(evidence=_counted(column))
    known = {}
    for value in values:
        meant = [code for code in field.enum if comparable(value) in around.words.values.get(code, {comparable(code)})]
        if len(meant) == 1:
            known[value] = meant[0]
    if len(known) == len(values) <= _MOST_CODES:
        codes = ", ".join(f"{scalar(value)}: {code}" for value, code in known.items())
        return Shape(options=(("map", f"{{{codes}}}"),), evidence=_counted(column))
    return _map_to_fill(column, f"say which of {', '.join(field.enum)} each value is", known)


def _codes(column: Column, field: Field) -> Shape:
    pattern, words = _CODES[field.name]
    values = list(column.distinct)
    good = sum(count for value, count in column.distinct.items() if re.fullmatch(pattern, value))
    if good >= (1 - _BAD) * len(column.cells):
        # the few others are told by `check`
        return Shape(evidence=_counted(column))
    names = _countries() if field.name == "countryId" else {}
    known = {value: names.get(value.casefold(), value) for value in values}
    if len(values) <= _MOST_CODES and all(re.fullmatch(pattern, code) for code in known.values()):
        codes = ", ".join(f"{scalar(value)}: {code}" for value, code in known.items())
        return Shape(options=(("map", f"{{{codes}}}"),), evidence=_counted(column))
    sure = {value: code for value, code in known.items() if re.fullmatch(pattern, code)}
    return _map_to_fill(column, f"the field takes {words}: say what each value is", sure)


@cache
def _countries() -> dict[str, str]:
    """Return the codes of countries by their names in small letters, in the languages of the list of words."""
    from babel import Locale as BabelLocale

    return {
        str(name).casefold(): str(code)
        for language in _COUNTRY_LANGUAGES
        for code, name in BabelLocale(language).territories.items()
        if re.fullmatch("[A-Z]{2}", code)
    }


def _number(column: Column, field: Field, _around: Surroundings) -> Shape:
    if column.dates or column.booleans:
        return Shape(evidence=column.kinds(), doubt=f"doubtful: {field.name} takes a number, and these are not")
    shown = {row.formats.get(column.spot, "") for row, cell in column.cells if isinstance(cell, Decimal) and cell}
    if field.in_percent and any("%" in format_code(form) for form in shown):
        told = "Excel shows per cent and holds hundredths"
        hint = f'template: "{{{{ row[{column.header!r}] * 100 }}}}"'
        return Shape(evidence=f"{column.kinds()}, shown as %", doubt=f"doubtful: {told}; say {hint}")
    if not column.texts:
        most = max((len(plain(number).partition(".")[2]) for number in column.numbers), default=0)
        return Shape(evidence=f"{column.kinds()}, at most {most} decimals" if most else column.kinds())
    telling = next((text for text in column.texts if re.search(r"\D", text)), column.texts[0])
    return Shape(evidence=f"{column.kinds()}; text such as {brief(telling)}")


def _boolean(column: Column, _field: Field, around: Surroundings) -> Shape:
    language = around.locale.language if around.locale else ""
    words = BOOLEAN_WORDS[""] | BOOLEAN_WORDS.get(language, {})
    if not column.numbers and not column.dates and all(text.casefold() in words for text in column.texts):
        return Shape(evidence=_counted(column))
    everywhere = {word: truth for known in BOOLEAN_WORDS.values() for word, truth in known.items()} | {
        "1": True,
        "0": False,
    }
    known = {
        value: "true" if everywhere[value.casefold()] else "false"
        for value in column.distinct
        if value.casefold() in everywhere
    }
    return _map_to_fill(column, "say which value is true and which is false", known)


def _date(column: Column, _field: Field, around: Surroundings) -> Shape:
    texts = [*column.texts, *(plain(number) for number in column.numbers)]
    if not texts:
        told = "dates, all real Excel dates" if column.dates > 1 else "real Excel date"
        return Shape(evidence=f"{column.dates} {told}")
    style = date_style(texts)
    real = f"{column.dates} real Excel dates; " if column.dates else ""
    if column.numbers and style.name not in {"yyyymmdd", "ddmmyyyy"}:
        return Shape(
            evidence=column.kinds(), doubt="doubtful: numbers are no dates; format the column as a date in Excel"
        )
    style = _as_elsewhere(style, texts, around)
    if style.open:
        ways = " or ".join(f"format: {way}" for way in style.open[:2])
        return Shape(
            doubtful_options=(),
            options=(("format", style.open[0]),),
            evidence=f"{real}{len(texts)} texts",
            doubt=f"doubtful: {style.evidence}; say {ways}",
        )
    if not style.name and len(texts) <= _BAD * len(column.cells):
        return Shape(evidence=f"{column.kinds()}; text such as {brief(texts[0])} is no date that is sure")
    if not style.name:
        short = any(re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d\d", text) for text in texts)
        why = "years of two digits; write them with four" if short else "no one format reads most of these texts"
        return Shape(evidence=column.kinds(), doubt=f"doubtful: {brief(texts[0])}: {why}")
    options = () if style.name == "yyyy-mm-dd" else (("format", style.name),)
    return Shape(options=options, evidence=f"{real}{style.evidence}")


def _as_elsewhere(style: Style, texts: list[str], around: Surroundings) -> Style:
    """Decide what is open as another column decides it whose texts look the same."""
    if not style.open:
        return style
    form, header = around.dates.get(shape_of(texts), ("", ""))
    if form not in style.open:
        return style
    return Style(name=form, evidence=f"text such as {brief(texts[0])}, written as in {header!r}", fits=style.fits)


def _period(column: Column) -> Shape:
    for form in ("", "mmyyyy"):
        bad = sum(isinstance(period(cell, form), Fault) for _, cell in column.cells)
        if bad <= _BAD * len(column.cells):
            options = (("format", form),) if form else ()
            return Shape(options=options, evidence=f"{column.kinds()}, such as {brief(next(iter(column.distinct)))}")
    return Shape(evidence=column.kinds(), doubt="doubtful: most of these are no periods such as 2025-01 or 202501")


_SHAPES: Final[Dictionary[Kind, Callable[[Column, Field, Surroundings], Shape]]] = {
    Kind.TEXT: _text,
    Kind.UUID: _text,
    Kind.DECIMAL: _number,
    Kind.INTEGER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.DATETIME: _date,
}


def scalar(text: str) -> str:
    """Write a text as a YAML scalar that is read back as the same text."""
    if (
        text.casefold() not in _WORDS
        and re.fullmatch(r"[^\W_](?:[^\W_]|[ ._/()+%-])*", text)
        and not re.search(r"\s$|\s#|:\s", text)
    ):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else _escape(char) for char in escaped) + '"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04X}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08X}"  # noqa: PLR2004 - YAML's two lengths
