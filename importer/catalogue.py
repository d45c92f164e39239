"""Describe an endpoint for people and programs: its fields, their types, its template."""

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from typing import Any

from importer import resources
from importer.endpoints import Endpoint
from importer.fields import Field, fields_of


def listed(endpoint: Endpoint) -> dict[str, Any]:
    """Return what a list of endpoints holds of one; a list has no place for its version but in its entries."""
    return {
        "format_version": 1,
        "name": endpoint.name,
        "title": endpoint.title,
        "description": endpoint.description,
    }


def data(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint as JSON data."""
    return {
        **listed(endpoint),
        "method": endpoint.method,
        "path": dict(endpoint.path),
        "fields": [
            {
                "name": name,
                "type": field.type_name,
                "values": list(field.enum),
                "description": field.description,
            }
            for name, _, field in _walk(_of_mapping(endpoint))
        ],
        "template": _template(endpoint),
    }


def text(endpoint: Endpoint) -> str:
    """Return an endpoint as text."""
    parts = [endpoint.creates, endpoint.updates] if endpoint.kind == "upsert" else [endpoint]
    paths = ", ".join(f"{version}: {part.method} {path}" for part in parts for version, path in part.path.items())
    lines = [f"{endpoint.name}: {endpoint.description}", paths, "", "Fields, as a mapping names them:"]
    for _, depth, field in _walk(_of_mapping(endpoint)):
        kind = f"{field.type_name}: {', '.join(field.enum)}" if field.enum else field.type_name
        lines.append(f"  {'  ' * depth}{field.name:<{34 - 2 * depth}}{kind:<9} {field.description}".rstrip())
    return "\n".join([*lines, "", f"Template {endpoint.name}.json.j2:", "", _template(endpoint)])


def _of_mapping(endpoint: Endpoint) -> Dictionary[str, Field]:
    """Return the fields under the names a mapping has for them: the lines are `lines` in every mapping."""
    members = dict(fields_of(endpoint.name))
    if endpoint.lines:
        lines = members.pop(endpoint.lines)
        members["lines"] = Field(name="lines", description="One line per row.", many=True, members=lines.members)
    return members


def _walk(members: Dictionary[str, Field], depth: int = 0, prefix: str = "") -> Iterator[tuple[str, int, Field]]:
    for field in members.values():
        yield f"{prefix}{field.name}", depth, field
        if field.members is not None:
            yield from _walk(field.members, depth + 1, f"{prefix}{field.name}.")


def _template(endpoint: Endpoint) -> str:
    return (resources.templates() / f"{endpoint.name}.json.j2").read_text(encoding="utf-8")
