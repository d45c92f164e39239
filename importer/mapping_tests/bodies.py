"""Hold a body as it was expected, in YAML, against the body that was rendered, and show the difference.

Numbers are compared as exact decimals, texts character by character, the names of an object in any order.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, Final

from importer.forecast import parsed
from importer.jsontext import plain, write_json
from importer.mapping_tests.case_file import number_of
from importer.yamlfile import PlainText

_NOTHING: Final = object()
_NULLS: Final = frozenset({"", "~", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Hold how a rendered body differs from the expected one."""

    #: where, such as `invoiceLines[2].quantity.value`
    places: tuple[str, ...]
    #: where the kinds differ, each a sentence
    notes: tuple[str, ...]
    #: a unified diff of the two, pretty-printed
    diff: tuple[str, ...]


def difference(expected: dict[str, Any], body: bytes) -> Difference | None:
    """Return how a body differs from what is expected; None where it is the same."""
    found = parsed(body or b"{}")
    comparison = _Comparison()
    wanted = comparison.node(expected, found, "")
    if not comparison.places:
        return None
    return Difference(
        places=tuple(dict.fromkeys(comparison.places)),
        notes=tuple(comparison.notes),
        diff=_diff(wanted, found),
    )


def as_added(body: bytes) -> tuple[str, ...]:
    """Return a body that was not expected at all, as a diff."""
    return _diff(None, parsed(body or b"{}"))


def _diff(expected: Any, found: Any) -> tuple[str, ...]:
    before = [] if expected is None else list(_pretty(expected))
    lines = unified_diff(before, list(_pretty(found)), "expected", "rendered", lineterm="")
    return tuple(lines)


def _pretty(node: Any, margin: str = "", name: str = "", end: str = "") -> Iterator[str]:
    """Yield the lines of parsed JSON, its numbers exactly as they are."""
    if not isinstance(node, dict | list) or not node:
        yield f"{margin}{name}{write_json(node)}{end}"
        return
    opening, closing = ("{", "}") if isinstance(node, dict) else ("[", "]")
    yield f"{margin}{name}{opening}"
    parts = [(f"{_quoted(key)}: ", part) for key, part in node.items()] if isinstance(node, dict) else []
    parts = parts or [("", part) for part in node]
    for spot, (label, part) in enumerate(parts, start=1):
        yield from _pretty(part, f"{margin}  ", label, "," if spot < len(parts) else "")
    yield f"{margin}{closing}{end}"


def _quoted(text: str | bool | None) -> str:
    return json.dumps(text, ensure_ascii=False)


@dataclass(slots=True)
class _Comparison:
    """Turn what is expected into JSON that reads like what was rendered wherever the two are the same."""

    places: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def node(self, expected: Any, found: Any, place: str) -> Any:
        """Return the expected value as JSON, noting where it differs."""
        if isinstance(expected, dict) and isinstance(found, dict):
            return self._object(expected, found, place)
        if isinstance(expected, list) and isinstance(found, list):
            return self._list(expected, found, place)
        if isinstance(expected, str) and _same(expected, found):
            return found
        self.places.append(place or "the body")
        if found is not _NOTHING and _kind(_typed(expected)) != _kind(found):
            self.notes.append(
                f"{place or 'the body'}: {_named(_typed(expected))} is expected, but {_named(found)} is rendered."
            )
        return _typed(expected)

    def _object(self, expected: dict[str, Any], found: dict[str, Any], place: str) -> dict[str, Any]:
        start = f"{place}." if place else ""
        self.places += [f"{start}{name}" for name in found if name not in expected]
        order = [name for name in found if name in expected] + [name for name in expected if name not in found]
        return {name: self.node(expected[name], found.get(name, _NOTHING), f"{start}{name}") for name in order}

    def _list(self, expected: list[Any], found: list[Any], place: str) -> list[Any]:
        """Pair the entries from both ends, so that one entry too many or too few is the only difference."""
        size = min(len(expected), len(found))
        head = next((spot for spot in range(size) if not _equal(expected[spot], found[spot])), size)
        tail = next((spot for spot in range(size - head) if not _equal(expected[-1 - spot], found[-1 - spot])), -1)
        tail = size - head if tail < 0 else tail
        middle = found[head : len(found) - tail]
        rest = len(expected) - head - tail
        pairs = [*found[:head], *middle[:rest], *[_NOTHING] * (rest - len(middle)), *found[len(found) - tail :]]
        self.places += [f"{place}[{head + spot + 1}]" for spot in range(rest, len(middle))]
        return [
            self.node(part, other, f"{place}[{spot}]")
            for spot, (part, other) in enumerate(zip(expected, pairs, strict=True), start=1)
        ]


def _equal(expected: Any, found: Any) -> bool:
    comparison = _Comparison()
    comparison.node(expected, found, "")
    return not comparison.places


def _same(expected: str, found: Any) -> bool:
    """Tell whether a scalar of YAML stands for a scalar of JSON; one typed without quotes may be any kind."""
    if isinstance(found, str):
        return str(expected) == found
    if not isinstance(expected, PlainText):
        return False
    if isinstance(found, bool):
        return expected == ("true" if found else "false")
    return str(expected) in _NULLS if found is None else number_of(expected) == found


def _typed(expected: Any) -> Any:
    """Return YAML as the JSON it reads as by itself."""
    if isinstance(expected, dict):
        return {name: _typed(part) for name, part in expected.items()}
    if isinstance(expected, list):
        return [_typed(part) for part in expected]
    if isinstance(expected, PlainText):
        if expected in {"true", "false"}:
            return expected == "true"
        if expected in _NULLS:
            return None
        number = number_of(expected)
        return str(expected) if number is None else number
    return expected


def _kind(node: Any) -> str:
    kinds = {dict: "a group", list: "a list", str: "the text", bool: "", type(None): ""}
    return kinds.get(type(node), "the number")


def _named(node: Any) -> str:
    """Name a value with its kind, such as `the text "0101"`."""
    kind = _kind(node)
    if isinstance(node, dict | list):
        return kind
    text = _quoted(node) if isinstance(node, str | bool | None) else plain(node)
    return f"{kind} {text}".strip()
