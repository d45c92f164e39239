"""Every field of every request body can be reached from a column, and refuses what is not of its type."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from importer.endpoints import table
from importer.fields import Field, Kind, fields_of, leaves
from importer.model import Document, Status
from importer.resources import request_schema

REFERENCE = Path(__file__).parents[2] / "shared" / "visma-api" / "dto-fields.json"
EVERY_ENDPOINT = pytest.mark.parametrize("endpoint", [name for name in table() if fields_of(name)])
SOURCES = ("the request schema", "the API's own field list")

Node = dict[str, Any]
Names = tuple[str, ...]
#: where a value stands in a body: names, `value` wrappers, positions in lists
Place = tuple[str | int, ...]

#: cells that match the pattern of a text field
MATCHES = {
    "^[A-Z]{2}$": "NO",
    "^[A-Z]{3}$": "NOK",
    "^(0[1-9]|1[0-3])(19|20)[0-9]{2}$": "012025",
    "^(19|20)[0-9]{2}(0[1-9]|1[0-3])$": "202501",
}
NOT_TEXT = [(101, "number_in_text"), (True, "boolean_in_text"), (date(2025, 1, 27), "date_in_text")]
NOT_A_DATE = [(cell, "not_a_date") for cell in ("tomorrow", "31.02.2025", 45000, True)]
NOT_A_NUMBER = [(cell, "not_a_number") for cell in ("hundred", "12x", True, date(2025, 1, 27))]
#: cells of the wrong type, with the problem each must give
WRONG: dict[str, list[tuple[Any, str]]] = {
    "text": NOT_TEXT,
    "enum": [*NOT_TEXT, ("Nonesuch", "not_allowed"), ("active", "not_allowed")],
    "pattern": [*NOT_TEXT, ("0", "pattern"), ("norsk", "pattern")],
    "uuid": [*NOT_TEXT, ("0101", "pattern"), ("123e4567-e89b-12d3-a456-42661417400g", "pattern")],
    "decimal": NOT_A_NUMBER,
    "integer": [*NOT_A_NUMBER, (1.5, "not_whole"), (2**31, "out_of_range")],
    "boolean": [(cell, "not_a_boolean") for cell in ("perhaps", 1, 0, date(2025, 1, 27))],
    "date": NOT_A_DATE,
    "datetime": NOT_A_DATE,
}


@cache
def fields(endpoint: str) -> dict[Names, Field]:
    return dict(leaves(fields_of(endpoint)))


def header(names: Names) -> str:
    return ".".join(names)


def mapping(endpoint: str) -> Node:
    """Return a mapping that maps a column to every field: lists as lists of one entry, the lines under `lines`."""

    def columns(members: Any, names: Names) -> Node:
        result: Node = {}
        for name, field in members.items():
            here = (*names, name)
            if field.members is None:
                result[name] = {"column": header(here)}
            else:
                group = columns(field.members, here)
                result[name] = [group] if field.many and here != (table()[endpoint].lines,) else group
        return result

    every = columns(fields_of(endpoint), ())
    lines = {"lines": every.pop(str(table()[endpoint].lines))} if table()[endpoint].lines else {}
    whole = {"version": 1, "endpoint": endpoint, "workbook": {"locale": "nb-NO"}, "key": "Key", "fields": every}
    return whole | lines


def right(field: Field, spot: int) -> tuple[Any, Any]:
    """Return a cell that fits a field, its own where the type has room for that, and its value in the body."""
    if field.enum or field.pattern:
        text = field.enum[-1] if field.enum else MATCHES[str(field.pattern)]
        return text, text
    if field.kind is Kind.UUID:
        text = f"123e4567-e89b-12d3-a456-{spot:012}"
        return text, text
    if field.kind is Kind.DATE:
        day = date(2025, 1, 27) + timedelta(days=spot)
        return day, day.isoformat()
    if field.kind is Kind.DATETIME:
        moment = datetime.fromisoformat("2025-01-27T10:30:00") + timedelta(days=spot)
        return moment, f"{moment.isoformat()}Z"
    if field.kind is Kind.BOOLEAN:
        return spot % 2 == 0, spot % 2 == 0
    if field.kind is Kind.INTEGER:
        return 100 + spot, ("number", str(100 + spot))
    if field.kind is Kind.DECIMAL:
        return 1234.5 + spot, ("number", f"{1234 + spot}.5")
    return f"0{101 + spot}", f"0{101 + spot}"


def type_of(field: Field) -> str:
    return "enum" if field.enum else "pattern" if field.pattern else str(field.kind)


def parse(document: Document) -> Any:
    """Return a body whose numbers are kept as the text that is sent."""
    return json.loads(document.body, parse_float=lambda text: ("number", text), parse_int=lambda text: ("number", text))


def values(node: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every scalar of a body with its place."""
    if isinstance(node, dict | list):
        for step, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield from values(item, (*place, step))
    else:
        yield place, node


# -- where the API wants a value ---------------------------------------------------------------------------------


def places(endpoint: str, source: str) -> dict[Names, Place]:
    """Return where every scalar field stands in the body."""
    if source == SOURCES[0]:
        schema = json.loads(request_schema(endpoint).read_text(encoding="utf-8"))
        return dict(_of_schema(schema, schema, (), ()))
    if not REFERENCE.is_file():
        pytest.skip("The API's field list is not beside the repository.")
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    method, path = table()[endpoint].method, re.escape(table()[endpoint].path["v1"]).replace(r"\{key\}", r"\{\w+\}")
    operations = [operation for resource in reference["endpoints"].values() for operation in resource["operations"]]
    (body,) = [one["body"] for one in operations if one["method"] == method and re.fullmatch(path, one["path"])]
    return dict(_of_reference(body["dto"], reference["dtos"], (), ()))


def _of_schema(body: Node, root: Node, names: Names, place: Place) -> Iterator[tuple[Names, Place]]:
    for name, node in body["properties"].items():
        here, spot, inner = (*names, name), (*place, name), _resolve(node, root)
        if set(inner.get("properties", ())) == {"value"}:
            spot, inner = (*spot, "value"), _resolve(inner["properties"]["value"], root)
        if inner["type"] == "array":
            spot, inner = (*spot, 0), _resolve(inner["items"], root)
        if "properties" in inner:
            yield from _of_schema(inner, root, here, spot)
        else:
            yield here, spot


def _resolve(node: Node, root: Node) -> Node:
    return root["definitions"][node["$ref"].removeprefix("#/definitions/")] if "$ref" in node else node


def _of_reference(dto: str, dtos: Node, names: Names, place: Place) -> Iterator[tuple[Names, Place]]:
    wrappers: dict[str, Place] = {
        "plain": (),
        "wrapped": ("value",),
        "wrappedObject": ("value",),
        "wrappedArray": ("value", 0),
        "object": (),
        "array": (0,),
    }
    for field in dtos[dto]["fields"]:
        here = (*names, field["name"])
        spot = (*place, field["name"], *wrappers[field["shape"]])
        if "dto" in field:
            yield from _of_reference(field["dto"], dtos, here, spot)
        else:
            yield here, spot


# -- the rules ---------------------------------------------------------------------------------------------------


@EVERY_ENDPOINT
@pytest.mark.parametrize("source", SOURCES)
def test_every_field_reaches_its_place_in_the_body(plan_of: Any, endpoint: str, source: str) -> None:
    """With a column for every field, the body holds every value at the place where the API wants it, and no more."""
    cells = {names: right(field, spot) for spot, (names, field) in enumerate(fields(endpoint).items())}
    expected = {place: cells[names][1] for names, place in places(endpoint, source).items()}

    rows = [["Key", *map(header, cells)], ["K1", *(cell for cell, _ in cells.values())]]
    plan = plan_of(mapping(endpoint), rows)

    assert plan.problems == ()
    body = dict(values(parse(plan.documents[0])))
    assert {place: (body.get(place), value) for place, value in expected.items() if body.get(place) != value} == {}
    assert set(body) == set(expected)
    assert len(body) == len(fields(endpoint))
    print(f"{endpoint}: {len(body)} fields covered against {source}")


@EVERY_ENDPOINT
def test_a_field_alone_comes_alone(plan_of: Any, endpoint: str) -> None:
    """A row with one cell filled gives a body with that one value, and `operation` where it stands in a list."""
    spots = places(endpoint, SOURCES[0])
    # In an update no line is changed or deleted without its number: that is another rule's.
    needs_number = (str(table()[endpoint].lines), "operation") if table()[endpoint].lines_by_number else ()
    names = [names for names in fields(endpoint) if names != needs_number]
    pairs = [right(fields(endpoint)[path], spot) for spot, path in enumerate(names)]

    rows: list[list[Any]] = [["Key", *map(header, fields(endpoint))]]
    for path, (cell, _) in zip(names, pairs, strict=True):
        rows.append([header(path), *(cell if other == path else None for other in fields(endpoint))])
    plan = plan_of(mapping(endpoint), rows)

    assert plan.problems == ()
    wrong = {}
    for document, path, (_, value) in zip(plan.documents, names, pairs, strict=True):
        body = dict(values(parse(document)))
        added = {
            place: item for place, item in body.items() if place[-1] == "operation" and item in {"Insert", "Update"}
        }
        found = {place: item for place, item in body.items() if place not in added or place == spots[path]}
        if found != {spots[path]: value}:
            wrong[header(path)] = found
    assert wrong == {}


@EVERY_ENDPOINT
def test_a_value_of_the_wrong_type_is_a_problem_at_its_cell(plan_of: Any, endpoint: str) -> None:
    """A cell that does not fit its field's type is told with its sheet, row, column and value, and sends nothing."""
    columns = {header(names): WRONG[type_of(field)] for names, field in fields(endpoint).items()}
    count = max(map(len, columns.values()))
    rows: list[list[Any]] = [["Key", *columns]]
    for number in range(count):
        rows.append([f"K{number}", *(wrong[number][0] if number < len(wrong) else None for wrong in columns.values())])
    expected = {
        ("Rows", number, column, "TRUE" if cell is True else str(cell), code)
        for column, wrong in columns.items()
        for number, (cell, code) in enumerate(wrong, start=2)
    }

    plan = plan_of(mapping(endpoint), rows)

    found = {(problem.sheet, problem.row, problem.column, problem.value, problem.code) for problem in plan.problems}
    assert sorted(expected - found) == []
    assert sorted(found - expected, key=str) == []
    assert {document.status for document in plan.documents} == {Status.INVALID}
    assert {document.body for document in plan.documents} == {b""}
    print(f"{endpoint}: {len(columns)} fields refuse {len(expected)} wrong cells")


def test_every_field_of_every_endpoint_is_counted() -> None:
    """Mapping, places and fields agree on how many fields there are."""
    counts = {endpoint: len(fields(endpoint)) for endpoint in table()}
    by_schema = {endpoint: len(places(endpoint, SOURCES[0])) for endpoint in table()}

    assert by_schema == counts
    assert {endpoint: str(mapping(endpoint)).count("'column'") for endpoint in table()} == counts
    print(f"{sum(counts.values())} fields covered: {counts}")
