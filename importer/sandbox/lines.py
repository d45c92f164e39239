"""Apply a body's lines to those a document has: Insert, Update, Delete."""

from collections.abc import Mapping, Sequence
from typing import Any

from importer.sandbox.bodies import merge, value
from importer.sandbox.catalog import Catalog, Fields

Line = dict[str, Any]


def change_lines(
    catalog: Catalog, fields: Fields, old: Sequence[Mapping[str, Any]], sent: Sequence[Mapping[str, Any]]
) -> tuple[list[Line], list[str]]:
    """Return the lines after a change, and what is wrong with it.

    Insert adds a line, also when it carries a line number; Update and Delete address one by its number; a
    line that is not mentioned stays as it is.
    """
    lines = {value(line, "lineNumber"): dict(line) for line in old}
    errors: list[str] = []
    for at, entry in enumerate(sent, start=1):
        change = {name: part for name, part in entry.items() if name not in ("operation", "lineNumber")}
        operation, number = entry.get("operation"), value(entry, "lineNumber")
        if operation is None:
            errors.append(f"Line {at}: 'operation' cannot be empty.")
        elif operation == "Insert":
            number = max(lines, default=0) + 1
            lines[number] = {**change, "lineNumber": {"value": number}}
        elif number not in lines:
            errors.append(f"Line '{number}' cannot be found in the system.")
        elif operation == "Update":
            lines[number] = merge(catalog, fields, lines[number], change)
        else:
            del lines[number]
    return list(lines.values()), errors
