"""The fields of a request body, read from the request schema of its endpoint.

The schema is the one source of names, wrapping, types and enums: the mapping schema, the conversion of cells and the
validation of bodies all come from it.
"""

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from importer import resources


class Kind(StrEnum):
    """Name the type of a scalar field, as mappings and messages call it."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    UUID = "uuid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Describe one field of a body: a scalar, an object (`members`) or a list of objects (`members`, `many`)."""

    name: str
    description: str
    kind: Kind | None = None
    enum: tuple[str, ...] = ()
    pattern: str | None = None
    #: what `pattern` wants, in words
    pattern_hint: str = ""
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    #: True where the API wants `{"value": x}` around it
    wrapped: bool = False
    many: bool = False
    members: Dictionary[str, "Field"] | None = None

    @property
    def in_percent(self) -> bool:
        """Tell whether 25 means 25 per cent."""
        return self.kind is Kind.DECIMAL and self.name.endswith(("Percent", "Pct"))

    @property
    def identifies(self) -> bool:
        """Tell whether its text is a number or a code, which is compared with others, and no prose."""
        return self.kind is Kind.TEXT and _CODES.search(self.name) is not None

    @property
    def type_name(self) -> str:
        """Name the type for people: `text`, `enum`, `list` ..."""
        if self.members is not None:
            return "list" if self.many else "group"
        return "enum" if self.enum else str(self.kind)


Schema = dict[str, Any]
#: How the names of fields end that take numbers and codes.
_CODES: Final = re.compile(
    "([nN]umber|Nbr|I[dD]|Code|Ref|Reference|[aA]ccount|AccountImport|AccountNonTax|[pP]roject|[sS]alesperson|"
    "^branch|^segmentValue|^uom|^bic|^iban|^gln|^email)$"
)
#: How the API writes its internal ids.
GUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FORMATS = {"date": Kind.DATE, "date-time": Kind.DATETIME, "uuid": Kind.UUID}
_TYPES = {"string": Kind.TEXT, "integer": Kind.INTEGER, "number": Kind.DECIMAL, "boolean": Kind.BOOLEAN}


@cache
def schema_of(endpoint: str) -> Schema:
    """Return the request schema of an endpoint as parsed JSON."""
    text = resources.request_schema(endpoint).read_text(encoding="utf-8")
    schema: Schema = json.loads(text)
    return schema


@cache
def fields_of(endpoint: str) -> Dictionary[str, Field]:
    """Return the fields of an endpoint's body by name, in the schema's order."""
    schema = schema_of(endpoint)
    return {name: _field(name, node, schema) for name, node in schema["properties"].items()}


def leaves(members: Dictionary[str, Field], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield every scalar field with its path of names; a list's entries are reached by the list's name."""
    for name, field in members.items():
        here = (*path, name)
        if field.members is None:
            yield here, field
        else:
            yield from leaves(field.members, here)


def _resolve(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        node = root["definitions"][node["$ref"].removeprefix("#/definitions/")]
    return node


def _field(name: str, node: Schema, root: Schema) -> Field:
    description = node.get("description", "")
    body = _resolve(node, root)
    wrapped = set(body.get("properties", ())) == {"value"}
    if wrapped:
        body = _resolve(body["properties"]["value"], root)
    if body["type"] == "array":
        items = _resolve(body["items"], root)
        return Field(name=name, description=description, wrapped=wrapped, many=True, members=_members(items, root))
    if body["type"] == "object":
        return Field(name=name, description=description, wrapped=wrapped, members=_members(body, root))
    return Field(
        name=name,
        description=description,
        wrapped=wrapped,
        kind=_FORMATS.get(body.get("format", ""), _TYPES[body["type"]]),
        enum=tuple(body.get("enum", ())),
        pattern=body.get("pattern"),
        pattern_hint=body.get("x-pattern-hint", ""),
        max_length=body.get("maxLength"),
        minimum=body.get("minimum"),
        maximum=body.get("maximum"),
    )


def _members(body: Schema, root: Schema) -> Dictionary[str, Field]:
    return {name: _field(name, node, root) for name, node in body["properties"].items()}
