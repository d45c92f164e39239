"""Take a request body apart by its type: what is known, what has the wrong shape, what nobody knows."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from importer.sandbox import jsontext
from importer.sandbox.catalog import Catalog, Field, Fields

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)?)?")
_DECIMAL_LIMIT = Decimal("7.9e28")
_INT_LIMIT = 2**31
_NET_TYPES = {
    "text": "System.String",
    "int": "System.Int32",
    "number": "System.Decimal",
    "bool": "System.Boolean",
    "date": "System.DateTime",
    "guid": "System.Guid",
}


@dataclass(slots=True)
class Taken:
    """Hold what was taken out of a body, the errors of shape and the paths nobody knows."""

    body: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def take(catalog: Catalog, fields: Fields, body: Mapping[str, Any]) -> Taken:
    """Sort a body into known fields, errors and unknown paths; `null` says nothing and is left out."""
    taken = Taken()
    taken.body = _object(catalog, fields, body, "", taken)
    return taken


def merge(catalog: Catalog, fields: Fields, old: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with the fields that a change mentions replaced; objects are merged field by field.

    An empty text empties its field, so that it is not there any more.
    """
    merged = dict(old)
    for name, new in change.items():
        spec = fields[name]
        if spec.shape == "object":
            inner = merge(catalog, catalog.types[spec.kind], content(spec, old.get(name)) or {}, content(spec, new))
            merged[name] = {"value": inner} if spec.wrapped else inner
        else:
            merged[name] = new
        if content(spec, merged[name]) in ("", {}):
            del merged[name]
    return merged


def content(spec: Field, value: Any) -> Any:
    """Return what a stored value holds, without its wrapper."""
    return value["value"] if spec.wrapped and value is not None else value


def value(body: Mapping[str, Any], name: str) -> Any:
    """Return the content of a wrapped field, None where it is absent."""
    wrapper = body.get(name)
    return wrapper["value"] if wrapper is not None else None


def _object(catalog: Catalog, fields: Fields, body: Mapping[str, Any], path: str, taken: Taken) -> dict[str, Any]:
    """Take the fields of one object."""
    found: dict[str, Any] = {}
    for name, given in body.items():
        place = f"{path}.{name}" if path else name
        if name not in fields:
            taken.unknown.append(place)
            continue
        known = _field(catalog, fields[name], given, place, taken)
        if known is not None:
            found[name] = known
    return found


def _field(catalog: Catalog, spec: Field, given: Any, place: str, taken: Taken) -> Any:
    """Take one field, its wrapper opened and closed again."""
    if given is None:
        return None
    if spec.shape == "list":
        return _list(catalog, spec, given, place, taken)
    if not spec.wrapped:
        return _content(catalog, spec, given, place, taken)
    if not isinstance(given, dict):
        taken.errors.append(_unfit(given, f"DtoValueOf{spec.kind.capitalize()}", place))
        return None
    taken.unknown.extend(f"{place}.{name}" for name in given if name != "value")
    inner = given.get("value")
    known = None if inner is None else _content(catalog, spec, inner, f"{place}.value", taken)
    return None if known is None else {"value": known}


def _list(catalog: Catalog, spec: Field, given: Any, place: str, taken: Taken) -> list[Any] | None:
    """Take a list of objects."""
    if not isinstance(given, list):
        taken.errors.append(_unfit(given, f"List<{spec.kind}>", place))
        return None
    taken.errors.extend(
        _unfit(entry, spec.kind, f"{place}[{at}]") for at, entry in enumerate(given) if not isinstance(entry, dict)
    )
    fields = catalog.types[spec.kind]
    return [
        _object(catalog, fields, entry, f"{place}[{at}]", taken)
        for at, entry in enumerate(given)
        if isinstance(entry, dict)
    ]


def _content(catalog: Catalog, spec: Field, given: Any, place: str, taken: Taken) -> Any:
    """Take the content of a field: an object, a word of an enumeration, or a scalar."""
    if spec.shape == "object":
        if isinstance(given, dict):
            return _object(catalog, catalog.types[spec.kind], given, place, taken)
        taken.errors.append(_unfit(given, spec.kind, place))
        return None
    if spec.words:
        word = next((w for w in spec.words if isinstance(given, str) and w.lower() == given.lower()), None)
        if word is None:
            taken.errors.append(_unfit(given, f"{spec.name} ({', '.join(spec.words)})", place))
        return word
    if _fits(spec.kind, given):
        return given
    taken.errors.append(_unfit(given, _NET_TYPES[spec.kind], place))
    return None


def _fits(kind: str, given: Any) -> bool:
    """Say whether a JSON scalar is one of a kind."""
    if kind == "bool":
        return isinstance(given, bool)
    if kind == "int":
        return isinstance(given, int) and not isinstance(given, bool) and -_INT_LIMIT <= given < _INT_LIMIT
    if kind == "number":
        return isinstance(given, int | Decimal) and not isinstance(given, bool) and abs(Decimal(given)) < _DECIMAL_LIMIT
    if not isinstance(given, str):
        return False
    try:
        if kind == "date":
            datetime.fromisoformat(given)
            return _MOMENT.fullmatch(given) is not None
        if kind == "guid":
            uuid.UUID(given)
    except ValueError:
        return False
    return True


def _unfit(given: Any, kind: str, place: str) -> str:
    """Return the message for a value of the wrong type."""
    return f"Error converting value {jsontext.write(given)} to type '{kind}'. Path '{place}'."
