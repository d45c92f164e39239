"""Tell which field of an endpoint a header means, and how sure that is."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import IntEnum
from typing import Final

from importer.drafting.column import Column
from importer.drafting.model import Path
from importer.drafting.words import Entry, Words, comparable, tokens, without_brackets
from importer.endpoints import Endpoint
from importer.fields import Field, Kind, fields_of

_NEAR: Final = 0.86
_SHORTEST_NEAR: Final = 5
_SHORTEST_PART: Final = 5
_LONGEST_QUALIFIER: Final = 3
AMOUNT: Final = "lines.manualAmountInCurrency"
KEY: Final = Field(name="key", description="What tells documents apart.", kind=Kind.TEXT)
PERIOD: Final = Field(name="period", description="The financial period.", kind=Kind.TEXT)


class Level(IntEnum):
    """Say how a header was matched, the surest first."""

    EXACT = 0
    WITHOUT_QUALIFIER = 1
    NEAR = 2
    PART = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Hold one field that a header may mean."""

    #: as words.yaml writes it, such as `lines.quantity`
    target: str
    path: Path
    field: Field
    level: Level
    #: the word that was met
    word: str
    languages: frozenset[str] = frozenset()
    #: why it is not sure; empty where it is
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Hold one word with the fields it means."""

    word: str
    targets: tuple[str, ...]
    languages: frozenset[str]
    looks: str
    doubt: str


class Matcher:
    """Match headers to the fields of one endpoint."""

    def __init__(self, endpoint: Endpoint, words: Words) -> None:
        self._words = words
        self.targets = targets_of(endpoint)
        self._number = endpoint.number_field
        self._amounts = {word for entry in words.entries if AMOUNT in entry.fields for word in entry.words}
        entries = [entry for entry in words.entries if not entry.resources or endpoint.resource in entry.resources]
        self._meanings = [*self._of_entries(entries), *self._of_names()]

    def _of_entries(self, entries: Iterable[Entry]) -> Iterable[_Meaning]:
        for entry in entries:
            known = tuple(target for target in entry.fields if target in self.targets)
            for word, languages in entry.words.items() if known else ():
                yield _Meaning(word, known, languages, entry.looks, entry.doubt)

    def _of_names(self) -> Iterable[_Meaning]:
        """Yield the API's own names: the whole path first, then the last part alone."""
        english = frozenset({"en"})
        for target in self.targets:
            yield _Meaning(comparable(target), (self._as_key(target),), english, "", "")
        for target in self.targets:
            yield _Meaning(comparable(target.rpartition(".")[2]), (self._as_key(target),), english, "", "")

    def _as_key(self, target: str) -> str:
        """Return the key for the field that asks for a number: the column that holds it tells documents apart."""
        return "key" if target == self._number else target

    def matches(self, column: Column) -> list[Match]:
        """Return the fields that a column's header may mean, the surest first."""
        found: dict[str, Match] = {}
        for match in self._all(column):
            if match.target not in found:
                found[match.target] = match
        best = min((match.level for match in found.values()), default=Level.PART)
        return [match for match in found.values() if match.level == best or match.level <= Level.WITHOUT_QUALIFIER]

    def is_amount(self, header: str) -> bool:
        """Tell whether a header is a word for an amount, also where the endpoint takes none."""
        return comparable(header) in self._amounts or self._core(header)[0] in self._amounts

    def _all(self, column: Column) -> Iterable[Match]:
        header = column.header
        whole = comparable(header)
        yield from self._met(column, whole, Level.EXACT)
        core, gross = self._core(header)
        doubt = "doubtful: it includes VAT, and Visma takes prices and amounts without" if gross else ""
        if core and core != whole:
            yield from self._met(column, core, Level.WITHOUT_QUALIFIER, doubt)
        yield from self._near(column, core or whole)
        yield from self._parts(column)

    def _met(self, column: Column, word: str, level: Level, doubt: str = "") -> Iterable[Match]:
        for meaning in self._meanings:
            if meaning.word == word and _looks(column, meaning.looks):
                own = f"doubtful: {meaning.doubt}" if meaning.doubt else ""
                yield from self._of(meaning, level, doubt or own)

    def _near(self, column: Column, word: str) -> Iterable[Match]:
        if len(word) < _SHORTEST_NEAR:
            return
        for meaning in self._meanings:
            if len(meaning.word) >= _SHORTEST_NEAR and _looks(column, meaning.looks) and _alike(word, meaning.word):
                yield from self._of(meaning, Level.NEAR, f"doubtful: the header only resembles {meaning.word!r}")

    def _parts(self, column: Column) -> Iterable[Match]:
        """Yield fields whose word is a part of the header, the longest word first."""
        parts = tokens(without_brackets(column.header))
        runs = {"".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)}
        within = [meaning for meaning in self._meanings if meaning.word in runs and len(meaning.word) >= _SHORTEST_PART]
        for meaning in sorted(within, key=lambda each: -len(each.word)):
            if _looks(column, meaning.looks):
                yield from self._of(meaning, Level.PART, f"doubtful: only {meaning.word!r} of the header is known")

    def _of(self, meaning: _Meaning, level: Level, doubt: str) -> Iterable[Match]:
        first = self.targets[meaning.targets[0]][0]
        for target in meaning.targets:
            path, field = self.targets[target]
            if target != meaning.targets[0] and path[0] == first[0]:
                # a field for where the first is not there, such as the address of a document: no second choice
                continue
            yield Match(
                target=target,
                path=path,
                field=field,
                level=level,
                word=meaning.word,
                languages=meaning.languages,
                doubt=doubt or self._overriding(target),
            )

    def _overriding(self, target: str) -> str:
        """Say why an address or a contact of a document is doubtful: it counts only where it overrides another."""
        group = target.rpartition(".")[0]
        for name in ("overrideAddress", "overrideContact"):
            if group and f"{group}.{name}" in self.targets:
                return f"doubtful: Visma uses the customer's own unless {name}: {{value: true}} stands beside it"
        return ""

    def _core(self, header: str) -> tuple[str, bool]:
        """Return the header without brackets and qualifiers, and whether one of them says that VAT is included."""
        every = tokens(header)
        gross = any("".join(run) in self._words.gross for run in _runs(every))
        left = list(tokens(without_brackets(header)))
        changed = True
        while changed:
            changed = False
            for size in range(min(_LONGEST_QUALIFIER, len(left) - 1), 0, -1):
                if "".join(left[-size:]) in self._words.gross | self._words.plain:
                    left, changed = left[:-size], True
                    break
                if "".join(left[:size]) in self._words.gross | self._words.plain:
                    left, changed = left[size:], True
                    break
        return "".join(left), gross and len(every) > 1


def _runs(parts: Sequence[str]) -> Iterable[Sequence[str]]:
    for size in range(1, _LONGEST_QUALIFIER + 1):
        for start in range(len(parts) - size + 1):
            yield parts[start : start + size]


def _alike(one: str, other: str) -> bool:
    """Tell whether two words differ by a slip of the finger; digits in them must be the same."""
    if [char for char in one if char.isdigit()] != [char for char in other if char.isdigit()]:
        return False
    matcher = SequenceMatcher(None, one, other)
    return matcher.real_quick_ratio() >= _NEAR and matcher.ratio() >= _NEAR


def _looks(column: Column, wanted: str) -> bool:
    return not wanted or column.digits_only is (wanted == "digits")


def targets_of(endpoint: Endpoint) -> Dictionary[str, tuple[Path, Field]]:
    """Return every field that a column can feed, as words.yaml writes it, with its place in a mapping.

    Lists have no place of their own, since a sheet does not say which entry is meant; the subaccount stands for itself.
    """
    found: dict[str, tuple[Path, Field]] = {"key": (("key",), KEY)}
    if endpoint.period:
        found["period"] = (("fields", "period"), PERIOD)
    members = dict(fields_of(endpoint.name))
    lines = members.pop(endpoint.lines).members if endpoint.lines else None
    found |= _leaves(members, ("fields",), "")
    found |= _leaves(lines or {}, ("lines",), "lines.")
    return found


def _leaves(members: Dictionary[str, Field], path: Path, prefix: str) -> dict[str, tuple[Path, Field]]:
    found: dict[str, tuple[Path, Field]] = {}
    for name, field in members.items():
        if field.description.startswith("Deprecated"):
            continue
        if field.members is None or name == "subaccount":
            found[f"{prefix}{name}"] = ((*path, name), field)
        elif not field.many:
            found |= _leaves(field.members, (*path, name), f"{prefix}{name}.")
    return found
