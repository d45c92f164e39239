"""Check a body, or a part of one, against the request schema of its endpoint."""

import re
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft7Validator, FormatChecker

from importer.fields import GUID, schema_of


@cache
def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    checker.checks("date")(_is_date)
    checker.checks("date-time")(_is_datetime)
    checker.checks("uuid")(_is_uuid)
    return checker


@cache
def request_schema(endpoint: str) -> dict[str, Any]:
    """Return the schema of an endpoint's body without references: to follow one at each value takes long."""
    schema = schema_of(endpoint)
    found: dict[str, Any] = _inlined(schema, schema)
    return found


@cache
def validator(endpoint: str) -> Any:
    """Return what checks an endpoint's body."""
    return Draft7Validator(request_schema(endpoint), format_checker=_formats())


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    """Tell whether a part of a body is what its part of the schema wants."""
    return Draft7Validator(schema, format_checker=_formats()).is_valid(value)


def _inlined(node: Any, schema: Any) -> Any:
    """Return a schema whose references within itself are replaced by what they stand for; none is circular."""
    if isinstance(node, list):
        return [_inlined(item, schema) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        found = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return _inlined(found, schema)
    return {name: _inlined(item, schema) for name, item in node.items() if name != "definitions"}


def _is_date(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return value == "" or _parses(value, r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,7})?)?")


def _is_datetime(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return _parses(value, r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[-+]\d\d:\d\d)?)?")


def _parses(value: str, pattern: str) -> bool:
    if not re.fullmatch(pattern, value, re.ASCII):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or GUID.fullmatch(value) is not None
