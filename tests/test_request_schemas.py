"""The request schemas, the endpoint table and the templates agree with each other and with the API."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import jsonschema
import pytest

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT.parent / "shared" / "visma-api" / "dto-fields.json"
TABLE = json.loads((ROOT / "schemas" / "endpoints.json").read_text(encoding="utf-8"))
ENDPOINTS = tuple(TABLE)
EVERY_ENDPOINT = pytest.mark.parametrize("endpoint", ENDPOINTS)
INTEGERS = {"int16": (-(2**15), 2**15 - 1), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
FORMATS = {"date-time": "date"}
DTOS = {
    "customer.createDunningLetter": "CreateDunningLetterActionDto",
    "customerInvoice.reverse": "ReverseInvoiceActionDto",
}

Node = dict[str, Any]
Place = tuple[str, ...]


@cache
def schema_of(endpoint: str) -> Node:
    return json.loads((ROOT / "schemas" / "requests" / f"{endpoint}.schema.json").read_text(encoding="utf-8"))


def template_of(endpoint: str) -> str:
    return (ROOT / "templates" / f"{endpoint}.json.j2").read_text(encoding="utf-8")


def resolve(node: Node, root: Node) -> Node:
    while "$ref" in node:
        node = root["definitions"][node["$ref"].removeprefix("#/definitions/")]
    return node


def shape_of(node: Node, root: Node) -> tuple[str, Node]:
    """Name how a field is written in the body, and return the schema of what is inside."""
    body = resolve(node, root)
    if body["type"] == "array":
        return "array", resolve(body["items"], root)
    if body["type"] != "object":
        return "plain", body
    if set(body["properties"]) != {"value"}:
        return "object", body
    inner = resolve(body["properties"]["value"], root)
    if inner["type"] == "array":
        return "wrappedArray", resolve(inner["items"], root)
    return ("wrappedObject" if inner["type"] == "object" else "wrapped"), inner


def walk(body: Node, root: Node, place: Place = ()) -> Iterator[tuple[Place, Node, str, Node]]:
    """Yield every field: its place, its schema, its shape, and the schema of what is inside."""
    for name, node in body["properties"].items():
        shape, inner = shape_of(node, root)
        yield (*place, name), node, shape, inner
        if "properties" in inner:
            yield from walk(inner, root, (*place, name))


def fields(endpoint: str) -> list[tuple[Place, Node, str, Node]]:
    return list(walk(schema_of(endpoint), schema_of(endpoint)))


def objects(node: Any) -> Iterator[Node]:
    """Yield every schema that describes an object."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for inner in node.values():
            yield from objects(inner)


@pytest.fixture(scope="module")
def reference() -> Node:
    """Return the vendor's field list, where it lies beside the repository."""
    if not REFERENCE.is_file():
        pytest.skip("The vendor's field list is not beside the repository.")
    return json.loads(REFERENCE.read_text(encoding="utf-8"))["dtos"] | {"Nothing": {"fields": []}}


def reference_fields(dto: str, dtos: Node, place: Place = ()) -> Iterator[tuple[Place, Node]]:
    for field in dtos[dto]["fields"]:
        yield (*place, field["name"]), field
        if "dto" in field:
            yield from reference_fields(field["dto"], dtos, (*place, field["name"]))


def dto_of(endpoint: str) -> str:
    if TABLE[endpoint]["kind"] == "action":
        return DTOS.get(endpoint, "Nothing")
    resource = endpoint.partition(".")[0]
    return f"{resource[0].upper()}{resource[1:]}UpdateDto"


# -- each file by itself -------------------------------------------------------------------------------------


@EVERY_ENDPOINT
def test_a_request_schema_is_valid_draft_07(endpoint: str) -> None:
    """A request schema is one that draft-07 validators accept."""
    schema = schema_of(endpoint)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["title"] == endpoint


@EVERY_ENDPOINT
def test_no_object_takes_a_name_the_api_does_not_know(endpoint: str) -> None:
    """Every object is closed, since the API ignores unknown names in silence."""
    assert all(node.get("additionalProperties") is False for node in objects(schema_of(endpoint)))


@EVERY_ENDPOINT
def test_every_definition_is_used_and_every_reference_leads_somewhere(endpoint: str) -> None:
    """A schema holds the definitions it uses, and no other."""
    schema = schema_of(endpoint)
    used = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(schema)))
    assert used == set(schema["definitions"])


@EVERY_ENDPOINT
def test_every_field_is_explained_in_one_short_line(endpoint: str) -> None:
    """Every field has a description that fits into an editor's pop-up."""
    for place, node, _, _ in fields(endpoint):
        text = node.get("description", "")
        assert 10 < len(text) <= 140, place
        assert "\n" not in text, place
        assert text.endswith("."), place


@EVERY_ENDPOINT
def test_every_pattern_has_a_hint_in_words_that_names_a_match(endpoint: str) -> None:
    """A pattern comes with plain words, and the example in them matches it."""
    patterns = [(place, inner) for place, _, _, inner in fields(endpoint) if "pattern" in inner]
    for place, inner in patterns:
        example = inner["x-pattern-hint"].rpartition("such as ")[2]
        assert re.search(inner["pattern"], example), place


def test_the_endpoint_table_and_the_schemas_name_the_same_endpoints() -> None:
    """Each row of the table has a schema and a template, and each of those has a row."""
    schemas = {file.name for file in (ROOT / "schemas" / "requests").iterdir()}
    templates = {file.name for file in (ROOT / "templates").iterdir()}
    assert schemas == {f"{endpoint}.schema.json" for endpoint in ENDPOINTS}
    assert templates == {f"{endpoint}.json.j2" for endpoint in ENDPOINTS}


@EVERY_ENDPOINT
def test_the_endpoint_table_names_fields_of_the_body(endpoint: str) -> None:
    """Every body field that a row of the table names is a field of the request schema."""
    row, known = TABLE[endpoint], schema_of(endpoint)["properties"]
    roles = [row[role] for role in ("number_field", "customer_field", "reference_field", "lines")]
    assert {name for name in (*roles, *row["needed"]) if name} <= set(known)
    assert row["period"] == ({"postPeriod", "financialPeriod"} <= set(known))
    assert f"{row['resource']}.{row['action']}" == endpoint


# -- against the vendor's field list -------------------------------------------------------------------------


@EVERY_ENDPOINT
def test_a_request_schema_has_the_fields_of_the_api_and_no_others(endpoint: str, reference: Node) -> None:
    """Names agree with the API at every depth."""
    expected = {place for place, _ in reference_fields(dto_of(endpoint), reference)}
    assert {place for place, *_ in fields(endpoint)} == expected


@EVERY_ENDPOINT
def test_a_field_is_wrapped_as_the_api_wants_it(endpoint: str, reference: Node) -> None:
    """Each field stands bare, in a value, in a list or in an object, as in the API."""
    expected = {place: field["shape"] for place, field in reference_fields(dto_of(endpoint), reference)}
    assert {place: shape for place, _, shape, _ in fields(endpoint)} == expected


@EVERY_ENDPOINT
def test_a_value_has_the_type_enum_and_range_of_the_api(endpoint: str, reference: Node) -> None:
    """Each scalar takes what the API takes: JSON type, format, names of an enum, size of an integer."""
    ours = {place: inner for place, _, _, inner in fields(endpoint)}
    for place, field in reference_fields(dto_of(endpoint), reference):
        inner = ours[place]
        if "dto" in field:
            assert inner["type"] == "object", place
            continue
        form = None if field["json"] in {"integer", "number"} else field.get("format")
        limits = INTEGERS[field["format"]] if field["json"] == "integer" else (None, None)
        assert inner["type"] == field["json"], place
        assert inner.get("format") == (form if field["shape"] == "plain" else FORMATS.get(form, form)), place
        assert inner.get("enum") == field.get("enum"), place
        assert (inner.get("minimum"), inner.get("maximum")) == limits, place


def test_no_description_is_the_vendors(reference: Node) -> None:
    """No description repeats a text or a sentence of the vendor's, whole or in part."""
    theirs: set[str] = set()
    for dto in reference.values():
        for field in dto["fields"]:
            for text in (field.get("description", ""), field.get("uiDescription", "")):
                pieces = {text, *re.split(r" > |(?<=[.;:]) ?", text)}
                theirs |= {piece.strip(" .").lower() for piece in pieces}
    theirs = {text for text in theirs if len(text) > 25}
    assert theirs
    table = {row["description"] for row in TABLE.values()}
    ours = {node["description"] for endpoint in ENDPOINTS for _, node, _, _ in fields(endpoint)}
    for text in ours | table:
        plain = text.strip(" .").lower()
        assert not [other for other in theirs if other in plain or plain in other], text


# -- the templates -------------------------------------------------------------------------------------------


@EVERY_ENDPOINT
def test_a_template_names_every_field_of_the_body(endpoint: str) -> None:
    """No scalar field of the schema is missing in the text of the template."""
    text = template_of(endpoint)
    leaves = {place for place, _, _, inner in fields(endpoint) if "properties" not in inner}
    assert not [place for place in leaves if not re.search(rf"\.{place[-1]}\b", text)]


ABSENT = object()


def write(value: object) -> str:
    """Write a value as JSON, as rendering does; what is absent leaves a mark."""
    assert not isinstance(value, jinja2.Undefined), value
    return json.dumps("absent" if value is ABSENT else value)


def render(endpoint: str, values: Node, lines: list[Any]) -> Node:
    # Bodies are JSON, not HTML, and `write` encodes every value.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, finalize=write, autoescape=False)
    return json.loads(environment.from_string(template_of(endpoint)).render(fields=values, lines=lines))


def split(endpoint: str, values: Node) -> tuple[Node, list[Any]]:
    """Take the lines out of the fields, as rendering does."""
    name = TABLE[endpoint]["lines"]
    return {key: value for key, value in values.items() if key != name}, values.get(name, [])


def mapped(body: Node, root: Node, place: str = "") -> tuple[Node, Node]:
    """Return values that name their own places (two entries a list), and the body they must become."""
    values, result = {}, {}
    for name, node in body["properties"].items():
        shape, inner = shape_of(node, root)
        here = f"{place}/{name}"
        if shape == "array":
            pairs = [mapped(inner, root, f"{here}/{index}") for index in range(2)]
            values[name], result[name] = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            continue
        values[name], content = mapped(inner, root, here) if "properties" in inner else (here, here)
        result[name] = {"value": content} if shape.startswith("wrapped") else content
    return values, result


def unmapped(body: Node, root: Node) -> Node:
    values: Node = {}
    for name, node in body["properties"].items():
        shape, inner = shape_of(node, root)
        entry = unmapped(inner, root) if "properties" in inner else ABSENT
        values[name] = [] if shape == "array" else entry
    return values


@EVERY_ENDPOINT
def test_a_template_puts_every_value_at_its_own_place(endpoint: str) -> None:
    """With all fields mapped, the body holds each value under its own name, wrapped as the schema says."""
    values, expected = mapped(schema_of(endpoint), schema_of(endpoint))
    assert render(endpoint, *split(endpoint, values)) == expected


@EVERY_ENDPOINT
def test_a_template_with_nothing_mapped_is_still_json(endpoint: str) -> None:
    """With no field mapped, the template renders to JSON that names every field of the body."""
    values = unmapped(schema_of(endpoint), schema_of(endpoint))
    assert set(render(endpoint, *split(endpoint, values))) == set(schema_of(endpoint)["properties"])
