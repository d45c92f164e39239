"""The mapping schema is what the endpoint table and the request schemas make it, for editors and for us alike."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from importer import resources
from importer.endpoints import table
from importer.errors import MappingError
from importer.fields import fields_of, leaves
from importer.mapping_file import read_mapping
from importer.mapping_schema import written

ROOT = Path(__file__).parents[1]
SAMPLES = sorted((ROOT / "samples").glob("*/mapping.yaml"))
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas" / "mapping.schema.json").read_text(encoding="utf-8"))
EXAMPLE = """\
# yaml-language-server: $schema=../../schemas/mapping.schema.json
version: 1
name: monthly-invoices
endpoint: customerInvoice.create

workbook:
  file: invoices.xlsx
  sheet: Invoices
  header_row: 1
  locale: nb-NO
  hidden_rows: error
where: "{{ row['Status'] != 'Void' }}"

parameters: {period: {type: text, required: true}, net_total: {type: decimal}}
key: Invoice no
fields:
  referenceNumber: Invoice no
  customerNumber: Customer
  externalReference: Invoice no
  documentDate: {column: Date, format: dd.mm.yyyy}
  currencyId: {value: NOK}
  invoiceText: {template: "{{ row['Text'] }} {{ param.period }}"}
lines:
  inventoryNumber: Item
  quantity: Qty
  unitPriceInCurrency: {column: Unit price, decimals: 2}

totals:
  - {name: Net, sum: Amount, expect: "{{ param.net_total }}"}
"""


def editor_errors(text: str) -> list[str]:
    """Return what a validator without our reading of scalars says, as an editor does."""
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(yaml.safe_load(text))]


def resolved(node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        node = SCHEMA["definitions"][node["$ref"].removeprefix("#/definitions/")]
    return node


def described(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every scalar field of a definition with its property as it stands there."""
    for name, node in resolved(group)["properties"].items():
        items = node["items"] if node.get("type") == "array" else node
        if "properties" in resolved(items):
            yield from described(items, (*names, name))
        else:
            yield (*names, name), node


def refused(text: str, folder: Path) -> bool:
    file = folder / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        read_mapping(file)
    except MappingError:
        return True
    return False


def test_the_file_is_what_would_be_written() -> None:
    """The committed schema has not drifted from its sources; `python -m importer.mapping_schema` writes it anew."""
    assert (resources.schemas() / "mapping.schema.json").read_text(encoding="utf-8") == written()


def test_the_schema_is_valid_draft_07() -> None:
    """Editors and validators accept the schema itself, and every reference in it leads somewhere."""
    Draft7Validator.check_schema(SCHEMA)
    used = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(SCHEMA)))

    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert used <= set(SCHEMA["definitions"])


def test_the_schema_knows_the_endpoints_of_the_table() -> None:
    """The endpoints that an editor offers are those of the table, each with its explanation and its fields."""
    offered = SCHEMA["properties"]["endpoint"]
    patterns = [branch["if"]["properties"]["endpoint"]["pattern"] for branch in SCHEMA["allOf"]]

    assert offered["enum"] == list(table())
    assert offered["enumDescriptions"] == [endpoint.description for endpoint in table().values()]
    assert patterns == [f"^{re.escape(name)}$" for name in table()]


@pytest.mark.parametrize("endpoint", tuple(table()))
def test_every_field_is_there_and_explained(endpoint: str) -> None:
    """A mapping can name every field of the body and no other, and an editor explains each of them."""
    lines = table()[endpoint].lines
    found = dict(described({"$ref": f"#/definitions/{endpoint} fields"}))
    if lines:
        found |= dict(described({"$ref": f"#/definitions/{endpoint} lines"}, (lines,)))
    period = [("period",)] if table()[endpoint].period else []
    expected = [*period, *(names for names, _ in leaves(fields_of(endpoint)))]

    assert sorted(found) == sorted(expected)
    assert [names for names, node in found.items() if len(node.get("description", "")) < 10] == []


@pytest.mark.parametrize("endpoint", tuple(table()))
def test_the_words_of_an_enum_are_in_its_explanation(endpoint: str) -> None:
    """Where the API takes only certain words, an editor shows them."""
    lines = table()[endpoint].lines
    shown = dict(described({"$ref": f"#/definitions/{endpoint} fields"}))
    if lines:
        shown |= dict(described({"$ref": f"#/definitions/{endpoint} lines"}, (lines,)))
    enums = {names: field.enum for names, field in leaves(fields_of(endpoint)) if field.enum}

    assert bool(enums) == (table()[endpoint].kind != "action")
    assert [name for names, words in enums.items() for name in words if name not in shown[names]["description"]] == []


def test_every_object_is_closed() -> None:
    """Every group of keys refuses a key it does not know, so that a typo is told and not ignored."""
    open_groups = [
        name
        for name, node in SCHEMA["definitions"].items()
        if "properties" in node and node.get("additionalProperties") is not False
    ]

    assert SCHEMA["additionalProperties"] is False
    assert open_groups == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: file.parent.name)
def test_a_sample_mapping_validates(sample: Path) -> None:
    """Each sample is what the schema allows, for an editor and for us, and names the schema in its first line."""
    text = sample.read_text(encoding="utf-8")
    modeline = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")

    assert editor_errors(text) == []
    assert read_mapping(sample).source.path == sample
    assert (sample.parent / modeline).resolve() == ROOT / "schemas" / "mapping.schema.json"


def test_there_are_samples() -> None:
    """Each endpoint that creates something has a sample."""
    creates = {name for name, endpoint in table().items() if endpoint.kind == "create"}

    assert creates <= {read_mapping(sample).endpoint.name for sample in SAMPLES}


def test_the_editor_and_the_program_accept_the_same_example(tmp_path: Path) -> None:
    """A mapping with every part of the language is accepted on both sides."""
    assert editor_errors(EXAMPLE) == []
    assert not refused(EXAMPLE, tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1", "version: 2"),
        ("version: 1", 'version: "1"'),
        ("customerInvoice.create", "customerInvoice.crate"),
        ("header_row: 1", "header_row: 0"),
        ("header_row: 1", 'header_row: "1"'),
        ("hidden_rows: error", "hidden_rows: maybe"),
        ("fields:", "field:"),
        ("referenceNumber:", "refNumber:"),
        ("inventoryNumber:", "item:"),
        ("decimals: 2", 'decimals: "2"'),
        ("decimals: 2", "decimals: -1"),
        ("decimals: 2", "pad: 2"),
        ("{value: NOK}", "{value: NOK, column: Currency}"),
        ("{value: NOK}", "{}"),
        ("{value: NOK}", "[NOK]"),
        ("required: true", "required: 1"),
        ("sum: Amount, ", ""),
        ("key: Invoice no\n", ""),
        ("key: Invoice no", "key: [Invoice no]"),
    ],
)
def test_the_editor_and_the_program_refuse_the_same_mistakes(tmp_path: Path, before: str, after: str) -> None:
    """What an editor underlines, the program refuses too, and the other way round."""
    assert before in EXAMPLE
    text = EXAMPLE.replace(before, after, 1)

    assert (bool(editor_errors(text)), refused(text, tmp_path)) == (True, True)


def test_lines_of_an_endpoint_without_lines_are_refused() -> None:
    """An editor underlines `lines` where the endpoint has none."""
    assert editor_errors("{version: 1, endpoint: customer.create, key: No, lines: {description: A}}") != []
