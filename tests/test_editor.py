"""The mapping's schema in the YAML language server, which is what completes, explains and checks a mapping in editors.

Needs Node.js and the npm package yaml-language-server, else these tests are skipped: `npm install -g
yaml-language-server`, or `npm install yaml-language-server` in any folder with VISMA_IMPORT_YLS set to the path of that
folder's node_modules. `editor/probe.mjs` puts the questions; run by hand it shows the answers for any mapping.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from importer import resources
from importer.endpoints import table
from importer.fields import fields_of

ROOT = Path(__file__).resolve().parent.parent
PROBE = Path(__file__).parent / "editor" / "probe.mjs"
SERVER = os.environ.get("VISMA_IMPORT_YLS")  # read here: no test sees the settings of the machine
NOT_INSTALLED = 3
HERE = "▮"
INVOICE = "version: 1\nendpoint: customerInvoice.create\nkey: No\n"
CUSTOMER = "version: 1\nendpoint: customer.create\nkey: No\n"
TYPED = ("NO", "0101", "012025", "1_000", "12:30", "2025-01-27", "on")


@dataclass(frozen=True)
class Shown:
    """What the editor shows: problems as (where, message), and an answer for each place that was asked about."""

    problems: list[tuple[str, str]]
    answers: list[Any]

    @property
    def offers(self) -> dict[str, str]:
        """What is offered at the one place asked about, with its explanation."""
        (offered,) = self.answers
        return {item["label"]: item["explains"] for item in offered}


Editor = Callable[..., list[Shown]]


def run_probe(*arguments: str | Path) -> list[Shown]:
    """Open mappings in the language server and put the questions that follow each."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    done = subprocess.run(
        [node, PROBE, *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "VISMA_IMPORT_YLS": SERVER} if SERVER else None,
        timeout=60,
        check=False,
    )
    if done.returncode == NOT_INSTALLED:
        pytest.skip(f"{done.stderr.strip()}: npm install -g yaml-language-server")
    assert done.returncode == 0, done.stderr
    return [
        Shown([(problem["text"], problem["message"]) for problem in told["problems"]], told["answers"])
        for told in json.loads(done.stdout)
    ]


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """Return a function that opens the texts of mappings, or of tests, and asks a question at each mark in them."""

    def show(*mappings: str, question: str = "complete", about: str = "mapping") -> list[Shown]:
        schema = (resources.schemas() / f"{about}.schema.json").as_uri()
        arguments: list[str | Path] = []
        for index, mapping in enumerate(mappings):
            lines = [f"# yaml-language-server: $schema={schema}", *mapping.split("\n")]
            arguments.append(tmp_path / f"{index}.yaml")
            for number, line in enumerate(lines):
                before, *rest = line.split(HERE)
                for piece in rest:
                    arguments.append(f"{question}:{number + 1}:{len(before) + 1}")
                    before += piece
                lines[number] = before
            (tmp_path / f"{index}.yaml").write_text("\n".join(lines), encoding="utf-8")
        return run_probe(*arguments)

    return show


# -- completion ----------------------------------------------------------------------------------------------------


def test_fields_of_the_endpoint_and_no_others_are_offered(editor: Editor) -> None:
    """Each field is offered with its own explanation, and its name is inserted with a colon."""
    places = [f"version: 1\nendpoint: {name}\nkey: No\nfields:\n  {HERE}\nwhere: A\n" for name in table()]

    for (name, endpoint), shown in zip(table().items(), editor(*places), strict=True):
        wanted = {member: field.description for member, field in fields_of(name).items() if member != endpoint.lines}
        offers = shown.offers
        assert ("period" in offers) == endpoint.period, name
        assert set(offers) - {"period"} == set(wanted), name
        assert [member for member in wanted if not offers[member].startswith(wanted[member])] == [], name
        assert [item for item in shown.answers[0] if not item["inserts"].startswith(f"{item['label']}:")] == [], name


def test_fields_of_a_group_and_of_the_lines_are_offered(editor: Editor) -> None:
    """Inside `mainAddress` the parts of an address are offered, inside `lines` the fields of a line."""
    address, lines = editor(
        f"{CUSTOMER}fields:\n  mainAddress:\n    {HERE}\nwhere: A\n", f"{INVOICE}lines:\n  {HERE}\nwhere: A\n"
    )

    assert set(address.offers) == set(fields_of("customer.create")["mainAddress"].members or {})
    assert set(lines.offers) == set(fields_of("customerInvoice.create")["invoiceLines"].members or {})
    assert "Postal code" in address.offers["postalCode"]


def test_lines_are_offered_only_where_there_are_some(editor: Editor) -> None:
    """At the top of the file `lines` is offered for an invoice, not for a customer."""
    invoice, customer = editor(f"{INVOICE}{HERE}\n", f"{CUSTOMER}{HERE}\n")

    assert "lines" in invoice.offers
    assert "lines" not in customer.offers


def test_options_that_suit_the_field_are_offered(editor: Editor) -> None:
    """A number has `decimals`, a text has `pad`, and both have what every field has, all of it explained."""
    number, text = editor(
        f"{INVOICE}lines:\n  quantity:\n    column: Qty\n    {HERE}\n",
        f"{INVOICE}fields:\n  customerNumber:\n    {HERE}\nwhere: A\n",
    )

    assert {"decimals", "round", "required", "default", "map", "blank"} <= set(number.offers)
    assert {"column", "value", "template", "pad", "pattern", "required", "map"} <= set(text.offers)
    assert "pad" not in number.offers
    assert "decimals" not in text.offers
    assert "" not in {*number.offers.values(), *text.offers.values()}


def test_every_endpoint_is_offered_with_what_it_does(editor: Editor) -> None:
    """`endpoint:` offers all of them, each explained."""
    (shown,) = editor(f"version: 1\nendpoint: {HERE}\nkey: No\n")

    assert shown.offers == {name: endpoint.description for name, endpoint in table().items()}


def test_the_parts_of_a_test_are_offered_and_explained(editor: Editor) -> None:
    """In a file of tests: at its top, in a test, in what is expected and in a problem."""
    head = "version: 1\ntests:\n  - name: A\n    rows: [{No: A}]\n    expect:\n"
    top, test, document, problem = editor(
        f"version: 1\n{HERE}\n",
        f"version: 1\ntests:\n  - name: A\n    {HERE}\n",
        f"{head}      - key: A\n        {HERE}\n",
        f"{head}      - key: A\n        problems:\n          - column: A\n            {HERE}\n",
        about="test",
    )

    for shown, names in (
        (top, "mapping parameters tests"),
        (test, "parameters rows expect problems"),
        (document, "body problems status"),
        (problem, "code message row"),
    ):
        assert [name for name in names.split() if not shown.offers[name].endswith(".")] == []


def test_the_parts_of_a_migration_are_offered_and_explained(editor: Editor) -> None:
    """At its top, in a step, in what stops it and in a workbook by reference."""
    head = "version: 1\nsteps:\n  - mapping: a.yaml\n"
    shown = editor(
        f"version: 1\n{HERE}\n",
        f"{head}    {HERE}\n",
        f"{head}    stop:\n      {HERE}\n",
        f"{head}    workbook:\n      {HERE}\n",
        about="migration",
    )

    wanted = (
        "name target steps",
        "name workbook parameters stop skip_invalid",
        "same_rejections unreachable failures",
        "file env sha256",
    )
    for part, names in zip(shown, wanted, strict=True):
        assert [name for name in names.split() if not part.offers[name].split("\n")[0].endswith(".")] == []


def test_what_is_wrong_in_a_migration_is_marked_where_it_stands(editor: Editor) -> None:
    """A name that does not belong, in each part; what is right shows nothing."""
    right = (
        "version: 1\nname: 2025\ntarget: test\nsteps:\n  - name: NO\n    mapping: a.yaml\n"
        "    workbook: {env: A, sha256: '" + "a" * 64 + "'}\n    parameters: {day: 2025-01-27, no: NO}\n"
        "    stop: {failures: 0}\n    skip_invalid: true\n"
    )
    wrong = ("name:", "nmae:"), ("failures", "failurs"), ("skip_invalid", "skip_invald"), ("env", "evn")
    shown = editor(right, *(right.replace(old, new, 1) for old, new in wrong), about="migration")

    assert shown[0].problems == []
    for (_, new), told in zip(wrong, shown[1:], strict=True):
        assert (new.rstrip(":"), f"Property {new.rstrip(':')} is not allowed.") in told.problems


# -- hover ---------------------------------------------------------------------------------------------------------


def test_a_field_is_explained_in_its_own_words(editor: Editor) -> None:
    """In short and in long form, in groups and in lines: the field's description, not that of its options."""
    (shown,) = editor(
        f"{INVOICE}fields:\n  reference{HERE}Number: No\n  customer{HERE}Number:\n    col{HERE}umn: Customer\n"
        f"  billingAddress:\n    ci{HERE}ty: City\nlines:\n  quan{HERE}tity:\n    column: Qty\n",
        question="hover",
    )

    invoice = fields_of("customerInvoice.create")
    city, quantity = (
        (invoice["billingAddress"].members or {})["city"],
        (invoice["invoiceLines"].members or {})["quantity"],
    )
    reference, customer, column, *nested = shown.answers
    assert reference.startswith(invoice["referenceNumber"].description)
    assert customer.startswith(invoice["customerNumber"].description)
    assert column.startswith("The header of the column")
    assert [text.split("\n")[0] for text in nested] == [city.description, quantity.description]


# -- problems ------------------------------------------------------------------------------------------------------


def test_a_name_that_does_not_belong_is_an_error_on_it(editor: Editor) -> None:
    """One error, and it stands on the name that is wrong: misspelt, of another endpoint or of another kind of field."""
    wrong = {
        "referenceNumbr": f"{INVOICE}fields:\n  referenceNumbr: No\n",
        "creditLimit": f"{INVOICE}fields:\n  creditLimit: Limit\n",
        "lines": f"{CUSTOMER}fields:\n  name: Name\nlines:\n  quantity: Qty\n",
        "street": f"{CUSTOMER}fields:\n  mainAddress:\n    street: A\n",
        "decimals": f"{INVOICE}fields:\n  note: {{column: A, pad: 5, decimals: 2}}\n",
        "feilds": f"{INVOICE}feilds:\n  note: A\n",
    }

    for name, shown in zip(wrong, editor(*wrong.values()), strict=True):
        assert shown.problems == [(name, f"Property {name} is not allowed.")]


def test_an_endpoint_that_does_not_exist_is_one_error(editor: Editor) -> None:
    """The fields are not blamed while nobody knows whose they are."""
    (shown,) = editor("version: 1\nendpoint: customer.creat\nkey: No\nfields:\n  name: A\n")

    ((where, message),) = shown.problems
    assert where == "customer.creat"
    assert '"customer.create"' in message


def test_samples_have_no_problems() -> None:
    """Opened where they lie, with the schema that their first line names."""
    samples = sorted(ROOT.glob("samples/*/mapping*.yaml"))
    shown = run_probe(*samples)

    assert len(samples) >= 5
    assert {str(sample): told.problems for sample, told in zip(samples, shown, strict=True) if told.problems} == {}


def test_what_yaml_might_read_as_something_else_is_a_text(editor: Editor) -> None:
    """No error on what the program takes as text: headers, values, codes, the key and the sheet."""
    fields = fields_of("customer.create")
    names = iter([name for name, field in fields.items() if field.members is None and name != "note"])
    values = (*TYPED, "1.10", "true", "2025")
    headers = [f"  {next(names)}: {typed}" for typed in TYPED]
    constants = [f"  {next(names)}: {{value: {typed}}}" for typed in values]
    codes = [f"      {typed}: {typed}" for typed in values]
    head = "version: 1\nname: 2024\nendpoint: customer.create\nkey: 2024\nworkbook:\n  sheet: 2025\nfields:"
    mapping = "\n".join([head, *headers, *constants, "  note:", "    column: 2024", "    map:", *codes])

    (shown,) = editor(mapping)
    assert shown.problems == []
