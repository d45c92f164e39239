"""Read what people call the fields (schemas/words.yaml), and make headers and words comparable."""

import re
import unicodedata
from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from importer import resources
from importer.errors import ProgramError
from importer.schemacheck import check, load_schema
from importer.yamlfile import load

LANGUAGES: Final = ("nb", "sv", "da", "fi", "en")
_NUMBER: Final = re.compile(r"(?:nummeret|nummer|numero|number|nro|nr)$")
_NUMBER_TOKENS: Final = {"no", "num", "#", "nº"}
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BRACKETS: Final = re.compile(r"\([^)]*\)|\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one entry of the list: words and the fields they mean, the likelier first."""

    fields: tuple[str, ...]
    #: comparable words with the languages they are of
    words: Dictionary[str, frozenset[str]]
    #: resources it holds for; empty for all
    resources: frozenset[str]
    #: digits, words or empty
    looks: str
    #: why a match is never sure; empty where it can be
    doubt: str


@dataclass(frozen=True, slots=True)
class Words:
    """Hold the whole list."""

    entries: tuple[Entry, ...]
    #: words that say a price or an amount includes VAT
    gross: frozenset[str]
    #: words that change nothing
    plain: frozenset[str]
    #: how sheets call their totals row
    totals: frozenset[str]
    #: what people call a value: the value, by comparable word
    values: Dictionary[str, frozenset[str]]


def tokens(text: str) -> tuple[str, ...]:
    """Split a header into comparable parts: `Kunde-Nr.` is `kunde`, `nr`."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFC", text))
    parts = re.findall(r"[^\W_]+|#", spaced.casefold())
    return tuple("nr" if part in _NUMBER_TOKENS and spot else _short(part) for spot, part in enumerate(parts))


def _short(part: str) -> str:
    return _NUMBER.sub("nr", part)


def comparable(text: str) -> str:
    """Return a header or word without case, spaces, dots and hyphens, nummer and the like as nr."""
    return "".join(tokens(text))


def without_brackets(text: str) -> str:
    """Return a header without what stands in brackets."""
    return _BRACKETS.sub(" ", text).strip() or text


@cache
def read_words() -> Words:
    """Return the program's list of words.

    Raises: ProgramError when the file is not as its schema says.
    """
    file = load(resources.schemas() / "words.yaml", "words.yaml")
    faults = check(file, load_schema(resources.schemas() / "words.schema.json"))
    if faults:
        raise ProgramError("\n".join(map(str, faults)))
    data = file.data
    return Words(
        entries=tuple(_entry(row) for row in data["words"]),
        gross=_all(data["qualifiers"]["gross"]),
        plain=_all(data["qualifiers"]["plain"]),
        totals=_all(data["totals"]),
        values={value: _all(words) | {comparable(value)} for value, words in data["values"].items()},
    )


def _all(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(comparable, words))


def _entry(row: Dictionary[str, Any]) -> Entry:
    words: dict[str, frozenset[str]] = {}
    for language in LANGUAGES:
        for word in row.get(language, ()):
            words[comparable(word)] = words.get(comparable(word), frozenset()) | {language}
    return Entry(
        fields=tuple(row["fields"]),
        words=words,
        resources=frozenset(row.get("of", ())),
        looks=row.get("looks", ""),
        doubt=row.get("doubt", ""),
    )
