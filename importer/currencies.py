"""Find amounts whose cell names another currency than the document's: the word is read past, the number goes out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final

from importer.convert import RowValues
from importer.findings import row_list
from importer.locales import CURRENCY
from importer.mapping import Mapping
from importer.model import Problem
from importer.workbook import Sheet
from importer.yamlfile import Step

#: The words for currencies that are no codes themselves.
_WORDS: Final = {
    ("NOK", "SEK", "DKK", "ISK"): "kr krone kroner krona kronor",
    ("NOK",): "nkr",
    ("SEK",): "skr",
    ("DKK",): "dkr",
    ("ISK",): "ikr",
    ("EUR",): "€ euro euroa",
    ("GBP",): "£ pound pounds",
    ("USD",): "$ us$ dollar dollars",
}
_MEANINGS: Final = {word: frozenset(codes) for codes, words in _WORDS.items() for word in words.split()}
#: The currencies of which it is certain what they are called; there are many dollars and pounds.
_KNOWN: Final = frozenset({"NOK", "SEK", "DKK", "ISK", "EUR", "GBP", "USD", "CHF", "PLN", "CZK"})
#: What stands at either end of an amount beside a currency.
_ENDS: Final = "-+()., "
_WORD: Final = re.compile(rf"({CURRENCY})(?=[-+(\s0-9])|(?<=[-)\s0-9.,])({CURRENCY})$", re.IGNORECASE)
#: What a number format writes beside the number: `[$€-407]`, `"kr"`, `\€` and the signs that need no quotes. A dollar
#: is only one in brackets: elsewhere Excel shows in its place the currency that the computer is set to.
_BESIDE: Final = re.compile(r'\[\$([^]-]+)[^]]*\]|"([^"$]*)"|\\([^$])|([€£])')
_CURRENCY_ID: Final = ("currencyId",)


def other_currencies(mapping: Mapping, sheet: Sheet, rows: Sequence[RowValues]) -> Iterator[Problem]:
    """Warn of each column that names another currency than its documents have, or two where nothing says which."""
    for header in dict.fromkeys(_columns(mapping)):
        if header not in sheet.columns:
            continue
        wrong: dict[tuple[str, str], list[int]] = {}
        unsaid: dict[str, list[int]] = {}
        for values, word in _named(rows, sheet.columns[header]):
            own = values.fields.get(_CURRENCY_ID)
            if own is None:
                unsaid.setdefault(word, []).append(values.row.number)
            elif isinstance(own, str) and not _may_mean(word, own):
                wrong.setdefault((word, own), []).append(values.row.number)
        for (word, own), numbers in wrong.items():
            message = (
                f"The column {header!r} names the currency {word!r} ({row_list(numbers)}), but the currencyId of these "
                f"documents is {own!r}, and the amounts go out as {own}. Correct the cells or the currency."
            )
            yield _problem(sheet, header, word, numbers[0], message)
        if not _agree(unsaid):
            message = (
                f"The column {header!r} names several currencies: "
                + ", ".join(f"{word!r} ({row_list(numbers)})" for word, numbers in unsaid.items())
                + ". Only the numbers are sent. Map currencyId, or correct the cells."
            )
            yield _problem(sheet, header, None, min(map(min, unsaid.values())), message)


def _columns(mapping: Mapping) -> Iterator[str]:
    """Yield the headers of the amounts that are in the document's currency for certain."""
    for rule in (*mapping.fields, *mapping.lines):
        last: Step = rule.target[-1]
        if rule.column is not None and isinstance(last, str) and last.endswith("InCurrency"):
            yield rule.column


def _named(rows: Iterable[RowValues], spot: int) -> Iterator[tuple[RowValues, str]]:
    """Yield the rows whose cell names a currency, with what it says."""
    for values in rows:
        row = values.row
        if spot >= len(row.cells):
            continue
        cell = row.cells[spot]
        if type(cell) is str:
            word = _in_text(cell)
        else:
            form = row.formats.get(spot)
            word = _in_format(form) if form else None
        if word is not None:
            yield values, word


@cache
def _in_format(form: str) -> str | None:
    """Return the currency that a number format shows."""
    for found in _BESIDE.finditer(form.partition(";")[0]):
        text = next(text for text in found.groups() if text is not None).strip()
        if text in _KNOWN or re.fullmatch(CURRENCY, text, re.IGNORECASE):
            return text
    return None


def _in_text(text: str) -> str | None:
    """Return the currency at either end of a text."""
    bare = text.strip(_ENDS)
    if not bare or (bare[0].isdigit() and bare[-1].isdigit()):
        return None
    found = _WORD.match(bare) or _WORD.search(bare)
    return next((word for word in found.groups() if word), None) if found else None


def _meanings(word: str) -> frozenset[str]:
    bare = word.casefold().rstrip(".")
    return _MEANINGS.get(bare) or frozenset({bare.upper()})


def _may_mean(word: str, currency: str) -> bool:
    return currency not in _KNOWN or currency in _meanings(word)


def _agree(words: Iterable[str]) -> bool:
    """Tell whether one currency may be meant by all words."""
    meanings = [_meanings(word) for word in words]
    return not meanings or bool(frozenset.intersection(*meanings))


def _problem(sheet: Sheet, header: str, word: str | None, row: int, message: str) -> Problem:
    return Problem(sheet=sheet.name, row=row, column=header, value=word, code="other_currency", message=message)
