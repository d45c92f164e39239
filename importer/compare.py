"""Compare the body of an update with what the API reads out, and leave out what is the same already.

Pure. Source: FACTS 8.1 (CONFIRMED): read forms are not wrapped, and references are objects (`customer.number`,
`creditTerms.id`); FACTS 7: periods are read as YYYYMM. Where a field cannot be found in the read form, it counts as
changed.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from decimal import Decimal
from typing import Any, Final

from importer.fields import Field, Kind
from importer.values import clean

#: Fields that say how a change is carried out; they are no reason to make one.
COMMANDS: Final = frozenset({"overrideNumberSeries", "overrideWithClassValues"})
_MISSING: Final = object()
_LINE_KEYS: Final = frozenset({"lineNumber", "operation"})


def unchanged(rest: Dictionary[str, Any]) -> bool:
    """Tell whether nothing is left that differs."""
    return not rest


def without_unchanged(
    fields: Dictionary[str, Field], body: Dictionary[str, Any], read: Dictionary[str, Any]
) -> dict[str, Any]:
    """Return the body without the fields that the API holds already."""
    rest: dict[str, Any] = {}
    for name, value in body.items():
        kept = _kept(fields[name], value, read)
        if kept is not _MISSING:
            rest[name] = kept
    return rest


def held(fields: Dictionary[str, Field], path: Sequence[str], read: Dictionary[str, Any]) -> Any:
    """Return what the API holds in the field at a path of names; None where it is empty or not read out."""
    name, *inner = path
    members = fields[name].members
    if inner and members is not None:
        found = read.get(name)
        return held(members, inner, found if isinstance(found, dict) else {})
    return read.get(name) if fields[name].many else next(_candidates(name, read), None)


def _kept(field: Field, value: Any, read: Dictionary[str, Any]) -> Any:
    inner = value["value"] if field.wrapped else value
    if field.members is None:
        same = any(_same(field, inner, candidate) for candidate in _candidates(field.name, read))
        return _MISSING if same else value
    if field.many:
        lines = [rest for line in inner if (rest := _line_rest(field, line, read.get(field.name)))]
        return lines or _MISSING
    found = read.get(field.name)
    rest = without_unchanged(field.members, inner, found if isinstance(found, dict) else {})
    if not rest:
        return _MISSING
    return {"value": rest} if field.wrapped else rest


def _line_rest(field: Field, line: Dictionary[str, Any], lines: Any) -> dict[str, Any]:
    """Return what an entry of a list changes; only an update of a numbered line can change nothing."""
    number = line.get("lineNumber", {}).get("value") if isinstance(line.get("lineNumber"), dict) else None
    if line.get("operation") != "Update" or number is None or not isinstance(lines, list):
        return dict(line)
    read = next((entry for entry in lines if isinstance(entry, dict) and entry.get("lineNumber") == number), None)
    if read is None:
        return dict(line)
    own = {name: value for name, value in line.items() if name not in _LINE_KEYS}
    rest = without_unchanged(field.members or {}, own, read)
    return {name: value for name, value in line.items() if name in _LINE_KEYS} | rest if rest else {}


def _candidates(name: str, read: Dictionary[str, Any]) -> Iterator[object]:
    """Yield the values that the read form may hold a field under."""
    folded = {key.lower(): value for key, value in read.items()}
    for base in _bases(name):
        value = folded.get(base.lower(), _MISSING)
        if isinstance(value, dict):
            yield from (value[part] for part in ("number", "id", "value") if part in value)
        elif value is not _MISSING:
            yield value


def _bases(name: str) -> Iterator[str]:
    yield name
    for ending in ("Id", "ID", "Number"):
        if name.endswith(ending):
            yield name.removesuffix(ending)


def _same(field: Field, sent: object, read: object) -> bool:
    if read is None:
        return sent == ""
    if isinstance(read, bool) or isinstance(sent, bool):
        return read is sent
    if isinstance(read, int | Decimal) and isinstance(sent, int | Decimal):
        return Decimal(read) == Decimal(sent)
    if not isinstance(read, str) or not isinstance(sent, str):
        return False
    if field.kind is Kind.DATE:
        return read[:10] == sent[:10]
    if field.name == "postPeriod":
        return read == f"{sent[2:]}{sent[:2]}"
    return in_a_cell(read) == in_a_cell(sent)


def in_a_cell(text: str) -> str:
    """Return a text as a workbook gives it back, so that fetching and sending it again changes nothing."""
    return clean(text.replace("\r\n", "\n").replace("\r", "\n"))
