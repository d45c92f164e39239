"""A field takes the number of a document that an earlier step or run makes: what stands for it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import PlanOf
from end_to_end import RawServer, aim, command, http
from migrations import CUSTOMERS, INVOICES, MIGRATION, Mover, customer, invoice, local

from importer.model import Document, Status
from importer.plan import Plan

__all__ = ["local"]

HEADERS = ["Invoice no", "Old customer", "Date", "Text", "Qty", "Unit price"]
ROW: list[Any] = ["F1", "K-1", "2025-01-27", "Kaffe", 1, 2]
REFERENCE = "{document: customers, key: Old customer}"
FIELDS = INVOICES[INVOICES.index("fields:") : INVOICES.index("lines:")]


def one(plan: Plan) -> Document:
    """Return the only document of a plan."""
    (document,) = plan.documents
    return document


def body(document: Document) -> Any:
    """Return a document's body as data."""
    assert document.status is None, document.problems
    return json.loads(document.body)


# -- which document is meant ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "cell", "found"),
    [
        ("Old customer", "K-1", "K-1"),
        ("Old customer", 17, "17"),
        ("{column: Old customer, pad: 6}", 17, "000017"),
        ("{column: Old customer, map: {old: new}}", "old", "new"),
        ("\"{{ 'K-' ~ row['Old customer'] }}\"", 17, "K-17"),
        ("{template: \"{{ 'K-' ~ row['Old customer'] }}\"}", "x", "K-x"),
        ("{value: the one}", "x", "the one"),
        ("Old customer", 'O\'Brien "& sons"', 'O\'Brien "& sons"'),
        ("Old customer", "two\nlines", "two\nlines"),
        ("Old customer", "a ⟧ b ⟦ c", "a ⟧ b ⟦ c"),
        ("Old customer", "L" * 5000, "L" * 5000),
    ],
)
def test_the_key_is_read_as_any_key_is(plan_of: PlanOf, key: str, cell: Any, found: str) -> None:
    """By header, padded, translated, put together; whatever it holds stands for the number until that is known."""
    row = [ROW[0], cell, *ROW[2:]]
    document = one(plan_of(INVOICES.replace("key: Old customer", f"key: {key}"), [HEADERS, row], sheet="Invoices"))

    assert [(one.name, one.key) for one in document.references] == [("customers", found)]
    assert body(document)["customerNumber"] == {"value": f"⟦customers: {found}⟧"}


def test_a_key_of_any_text_is_sent_with_the_right_number(local: Mover) -> None:
    """Quotes, line ends, the marks themselves, a key within a key: each invoice is on its own customer."""
    names = ["K-1", 'O\'Brien "& sons"', "two\nlines", "⟦customers: K-1⟧", "⟧", "L" * 900, "K-1⟧"]
    local.customers(*((key, f"Kunde {number}", None) for number, key in enumerate(names)))
    local.invoices(*(invoice(number, key) for number, key in enumerate(names)))
    local.write("customers.yaml", CUSTOMERS.replace("  corporateId: Old no\n", ""))

    done = local.run()
    assert done.code == 0, done.out
    assert [name for _, name in local.held] == [f"Kunde {number}" for number in range(len(names))]


def test_a_line_takes_a_number_too(local: Mover) -> None:
    """Each line its own one, beside the one of the head."""
    local.write("invoices.yaml", INVOICES.replace("description: Text", "description: {document: customers, key: Text}"))
    local.invoices(invoice(1, "K-1", "K-2"), invoice(1, "K-1", "K-1"))

    assert local.run().code == 0
    by_name = {name: number for number, name in local.names.items()}
    ((_, head),) = local.held
    (sent,) = local.sent()
    assert head == "Kunde 1"
    assert [line["description"]["value"] for line in sent["invoiceLines"]] == [
        by_name["Kunde 2"],
        by_name["Kunde 1"],
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [("", None), (", required: true", "required"), (", blank: error", "required")],
)
def test_a_blank_key_omits_the_field_unless_it_is_needed(plan_of: PlanOf, options: str, told: str | None) -> None:
    """As every blank cell does."""
    mapping = INVOICES.replace("key: Old customer}", f"key: Old customer{options}}}")
    document = one(plan_of(mapping, [HEADERS, [ROW[0], None, *ROW[2:]]], sheet="Invoices"))

    assert [problem.code for problem in document.problems] == ([told] if told else [])
    if told is None:
        assert "customerNumber" not in body(document)


def test_options_that_belong_to_the_key_are_refused_beside_it(local: Mover) -> None:
    """`pad` beside `document` would do nothing, and the wrong customer would be meant."""
    local.write("invoices.yaml", INVOICES.replace("key: Old customer}", "key: Old customer, pad: 6}"))

    done = local.run()
    assert (done.code, local.writes) == (3, 0)
    assert "'pad' does nothing beside 'document'" in done.err
    assert "key: {column: ..., pad: ...}" in done.err


# -- what stands for it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "fields.customerNumber[1:]",
        "fields.customerNumber[1:-1]",
        "fields.customerNumber | upper",
        "fields.customerNumber | length",
        "fields.customerNumber ~ '' if fields.customerNumber | int > 0 else 'none'",
        "fields.customerNumber | replace('K', 'C')",
    ],
)
def test_a_template_that_changes_the_number_is_refused(tmp_path: Path, plan_of: PlanOf, change: str) -> None:
    """It would be sent wrongly once the number is known."""
    text = '{"customerNumber": {"value": {{ fields.customerNumber }}}, "note": {"value": {{ %s }}}}'
    (tmp_path / "own.json.j2").write_text(text % change.replace("| length", "| length ~ ''"), encoding="utf-8")
    document = one(plan_of(INVOICES + "template: own.json.j2\n", [HEADERS, ROW], sheet="Invoices"))

    assert document.status is Status.INVALID
    assert [problem.code for problem in document.problems] == ["reference_changed"]
    assert "own.json.j2 changes" in document.problems[0].message


def test_a_template_may_put_text_around_the_number_or_leave_it_out(tmp_path: Path, plan_of: PlanOf) -> None:
    """Only what stands in the body is waited for."""
    around = '{"note": {"value": {{ "Customer " ~ fields.customerNumber ~ "/" ~ fields.customerNumber }}}}'
    for text, references in ((around, 1), ('{"note": {"value": {{ key }}}}', 0)):
        (tmp_path / "own.json.j2").write_text(text, encoding="utf-8")
        document = one(plan_of(INVOICES + "template: own.json.j2\n", [HEADERS, ROW], sheet="Invoices"))
        assert (document.status, len(document.references)) == (None, references)


def test_a_cell_that_looks_like_what_stands_for_a_number_is_never_changed(plan_of: PlanOf, local: Mover) -> None:
    """Of the same document it is refused; of another customer's, or where no number is missing, it is sent as it is."""
    row = [*ROW[:3], "⟦customers: K-1⟧", *ROW[4:]]
    document = one(plan_of(INVOICES, [HEADERS, row], sheet="Invoices"))
    assert [problem.code for problem in document.problems] == ["reference_changed"]
    assert "a cell looks like" in document.problems[0].message

    local.invoices(invoice(1, "K-2", "⟦customers: K-1⟧"))
    assert local.run().code == 0
    (sent,) = local.sent()
    assert sent["invoiceLines"][0]["description"]["value"] == "⟦customers: K-1⟧"


def test_what_is_not_known_yet_is_never_asked_of_the_api(tmp_path: Path, local: Mover) -> None:
    """A plan of the sequence looks only for what it can know, and no request holds what stands for a number."""
    asked: list[bytes] = []

    class Server(RawServer):
        def _reply(self, request: bytes) -> bytes:
            asked.append(request.split(b"\r\n")[0])
            return super()._reply(request)

    with Server(lambda *_: http(500)) as server:
        aim(local.project, server.base_url)
        assert local.do("plan", "migration.yaml").code == 0

    assert any(b"customerinvoice" in line.lower() for line in asked)
    assert [line for line in asked if b"%E2%9F%A6" in line.upper()] == []


# -- known names ---------------------------------------------------------------------------------------------------


def test_names_that_mean_no_document_are_refused_where_they_stand(local: Mover) -> None:
    """One that nobody has, its own, a later step, one that two mappings have: with the line, and what is meant."""
    cases = {
        "custmers": "Did you mean 'customers'?",
        "invoices": "A document cannot refer to one of its own mapping.",
        "twice": "'twice' is the name of two mappings: ",
    }
    local.write("a/twice.yaml", CUSTOMERS.replace("name: customers", "name: twice"))
    local.write("b/twice.yaml", CUSTOMERS.replace("name: customers", "name: twice"))
    for name, told in cases.items():
        local.write("invoices.yaml", INVOICES.replace("document: customers", f"document: {name}"))
        for what in ("migration.yaml", "invoices.yaml"):
            done = local.run(what)
            assert (done.code, local.writes) == (3, 0)
            assert told in done.err, done.err
            assert "invoices.yaml" in done.err


def test_a_step_that_comes_later_makes_nothing_for_an_earlier_one(local: Mover) -> None:
    """The error names the order, and nothing is sent."""
    local.write("migration.yaml", "version: 1\nsteps:\n  - mapping: invoices.yaml\n  - mapping: customers.yaml\n")

    done = local.run()
    assert (done.code, local.writes) == (3, 0)
    assert "'customers' is a later step" in done.err


def test_a_mapping_is_meant_once_however_many_migrations_name_it(local: Mover) -> None:
    """The same file under one name in two migrations is no second mapping; files that are none are passed over."""
    steps = "version: 1\nsteps:\n  - {name: old ones, mapping: customers.yaml}\n"
    for name in ("one.yaml", "two.yaml"):
        local.write(name, steps)
    for name, text in (("odd.yaml", "steps: 5\n"), ("broken.yaml", "a: [\n"), ("ci.yml", "steps:\n  - script: x\n")):
        local.write(name, text)
    local.write("uses.yaml", "steps:\n  - {name: x, mapping: broken.yaml}\n")
    local.write("invoices.yaml", INVOICES.replace("document: customers", "document: old ones"))

    assert local.run("customers.yaml").code == 0
    done = local.run("invoices.yaml")
    assert done.code == 0, done.err
    assert len(local.held) == 3


def test_a_step_run_by_itself_says_when_it_is_not_in_the_project_of_its_migration(tmp_path: Path, local: Mover) -> None:
    """Without targets.yaml beside migration.yaml the mapping's own folder is the project: it says so."""
    (local.project / "targets.yaml").unlink()
    for name, text in (("customers", CUSTOMERS), ("invoices", INVOICES)):
        local.write(f"{name}/{name}.yaml", text)
        (local.project / f"{name}.xlsx").rename(local.project / name / f"{name}.xlsx")
    moved = MIGRATION.replace("g: customers", "g: customers/customers").replace("g: invoices", "g: invoices/invoices")
    local.write("migration.yaml", moved)

    code, _, err = command("check", "invoices/invoices.yaml", cwd=local.project)
    assert code == 3
    assert "migration.yaml" in err
    assert "Put targets.yaml beside it" in " ".join(err.split())


# -- check over the whole sequence ---------------------------------------------------------------------------------


def test_check_names_every_reference_that_no_step_makes(local: Mover) -> None:
    """With row and column, also in the overview of causes; filtered ones with the reason; each blocks its document."""
    local.write("customers.yaml", CUSTOMERS.replace("key: Old no", "where: \"{{ row['Name'] != 'No' }}\"\nkey: Old no"))
    local.customers(customer(1), ("K-2", "No", None))
    local.invoices(*(invoice(n, key) for n, key in enumerate(("K-1", "K-2", "K-3", "K-3", "k-1"), start=1)))

    done = local.run()
    assert (done.code, local.writes) == (3, 0)
    assert re.search(r"4  Refers to a document that is not there: O.* B3:B6", done.out)
    found = local.checked()
    assert found["exit_code"] == 3
    (_, invoices) = found["steps"]
    assert [(one["row"], one["column"], one["value"], one["code"]) for one in invoices["problems"]] == [
        (3, "Old customer", "K-2", "reference_missing"),
        (4, "Old customer", "K-3", "reference_missing"),
        (5, "Old customer", "K-3", "reference_missing"),
        (6, "Old customer", "k-1", "reference_missing"),
    ]
    assert (
        "is left out of the step customers (row 3: The mapping's 'where' leaves" in invoices["problems"][0]["message"]
    )
    assert invoices["causes"] == [
        {
            "code": "reference_missing",
            "title": "Refers to a document that is not there",
            "column": "Old customer",
            "count": 4,
            "places": ["B3:B6"],
        }
    ]
    assert invoices["documents"] == {"ready": 1, "invalid": 4, "filtered": 0}


def test_a_reference_to_an_earlier_run_is_a_warning_offline_and_decided_by_the_journal(local: Mover) -> None:
    """`earlier: true`: check passes; a run sends what the journal knows and lets the rest wait."""
    assert local.run("customers.yaml").code == 0
    local.customers(customer(3))
    earlier = INVOICES.replace("key: Old customer}", "key: Old customer, earlier: true}")
    local.write("invoices.yaml", earlier)
    local.invoices(invoice(1, "K-1"), invoice(2, "K-3"), invoice(3, "K-9"))

    found = local.checked()
    assert found["exit_code"] == 0
    assert [one["code"] for one in found["steps"][1]["warnings"]] == ["reference_earlier", "reference_earlier"]

    done = local.run()
    assert (done.code, local.held) == (4, [("F0001", "Kunde 1"), ("F0002", "Kunde 3")])
    assert "refers to customers 'K-9', which no run has had accepted" in done.messages("invoices")["F0003"]
