"""What becomes of a row of an upsert: by what is there, by what the mapping says, and by what earlier runs left."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
from test_updates import CUSTOMER, SETTINGS, Office, serve, wrap
from test_upsert import put_back, results

from importer import resources
from importer.cli import run_command
from importer.sandbox import Fault, inspect

UPSERT = """\
version: 1
endpoint: customer.upsert
key: Key
fields:
  number: {column: No, blank: omit}
  corporateId: {column: Org, blank: omit}
  name: {column: Name, blank: omit}
  creditTermsId: {column: Terms, blank: omit}
"""
SCHEMA = json.loads((resources.schemas() / "check.schema.json").read_text(encoding="utf-8"))
HEADERS = ("Key", "No", "Org", "Name", "Terms")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Serve a company without faults."""
    with serve(tmp_path) as found:
        yield found


def run(office: Office, *rows: tuple[Any, ...], more: str = "") -> tuple[int, list[str], list[str]]:
    """Run an upsert of rows."""
    return office.run(UPSERT + more, HEADERS, *rows)


def added(office: Office) -> list[dict[str, Any]]:
    """Return what the company holds beside the customers that it began with."""
    return [each["body"] for each in inspect.documents(office.project.parent / "company", "customer")]


def org_of(office: Office, number: str) -> str:
    """Return the corporateId of a customer that the company began with."""
    return str(office.held("customer", number)["corporateId"])


def test_what_exists_is_skipped_or_refused_as_the_mapping_says(office: Office) -> None:
    """`skip` leaves it as it is, `refuse` rejects the row; either way only what is new goes out."""
    rows = [("A", "10001", None, "Annet", None), ("B", None, "777", "Ny", None)]
    code, statuses, messages = run(office, *rows, more="on_existing: skip\n")
    assert (code, statuses) == (0, ["already_accepted", "accepted"])
    assert "exists as 10001" in messages[0]
    code, statuses, messages = run(office, *rows, more="on_existing: refuse\n")
    assert (code, statuses) == (4, ["rejected", "rejected"])
    assert "on_existing: update or skip" in messages[0]
    assert [each.method for each in office.writes()] == ["POST"]
    assert office.held("customer", "10001")["name"] != "Annet"


def test_what_is_missing_is_refused_where_the_mapping_says_so(office: Office) -> None:
    """`on_missing: refuse` rejects the row with what to do, and updates go on."""
    rows = [("A", "10001", None, "Annet", None), ("B", None, "777", "Ny", None)]
    code, statuses, messages = run(office, *rows, more="on_missing: refuse\n")
    assert (code, statuses) == (4, ["accepted", "rejected"])
    assert "on_missing: create" in messages[1]
    assert [each.method for each in office.writes()] == ["PUT"]


def test_a_number_and_an_identifier_that_find_two_are_invalid(office: Office) -> None:
    """The row names both customers at its cell, nothing is sent for it, and the others go on."""
    rows = [("A", "10001", org_of(office, "10002"), "Annet", None), ("B", "10003", None, "Nytt", None)]
    code, statuses, _ = run(office, *rows)
    assert (code, statuses) == (4, ["invalid", "accepted"])
    (problem,) = results(office)[0]["problems"]
    assert (problem["row"], problem["code"]) == (2, "found_twice")
    assert "10001" in problem["message"]
    assert "10002" in problem["message"]
    assert len(office.writes()) == 1


def test_two_rows_that_find_one_customer_are_both_invalid_and_name_each_other(office: Office) -> None:
    """By its number in one row and its corporateId in the other: neither is sent."""
    rows = [("A", "10001", None, "En", None), ("B", None, org_of(office, "10001"), "To", None)]
    code, statuses, _ = run(office, *rows, ("C", "10003", None, "Nytt", None))
    assert (code, statuses) == (4, ["invalid", "invalid", "accepted"])
    told = [each["problems"][0]["message"] for each in results(office)[:2]]
    assert all("Rows 2-3" in message and "10001" in message for message in told)
    assert len(office.writes()) == 1


@pytest.mark.parametrize(("place", "code"), [(1, "number_twice"), (2, "identifier_twice")])
def test_two_documents_of_a_workbook_with_one_identifier_are_a_problem_offline(
    office: Office, capsys: pytest.CaptureFixture[str], place: int, code: str
) -> None:
    """`check` tells it with both rows, and a run does not start."""
    rows = [tuple("777" if spot == place else value for spot, value in enumerate((key, None, None, "Ny", None)))
            for key in "AB"]  # fmt: skip
    office.put(UPSERT, HEADERS, *rows)
    assert office.say("check", "--json") == 3
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [(each["row"], each["column"], each["value"]) for each in problems] == [
        (2, HEADERS[place], "777"),
        (3, HEADERS[place], "777"),
    ]
    assert {each["code"] for each in problems} == {code}
    assert office.say("run", "--yes") == 3
    assert office.writes() == []


def test_a_new_customer_without_a_name_is_invalid_and_an_existing_one_is_not(office: Office) -> None:
    """What is needed to create is asked for only where something is created."""
    code, statuses, _ = run(office, ("A", "10001", None, None, "30"), ("B", None, "777", None, "30"))
    assert (code, statuses) == (4, ["accepted", "invalid"])
    (problem,) = results(office)[1]["problems"]
    assert (problem["code"], problem["column"]) == ("needed_to_create", "Name")
    assert office.bodies() == [wrap(creditTermsId="30")]


def test_a_number_that_is_found_by_another_identifier_is_never_changed(office: Office) -> None:
    """The customer keeps its number: the body has none, and the message says so."""
    code, _, messages = run(office, ("A", "20001", org_of(office, "10001"), "Annet", None))
    assert code == 0
    assert "20001 is not taken over" in messages[0]
    assert office.bodies() == [wrap(name="Annet")]


def test_plan_shows_creates_updates_with_their_values_and_skips(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each row has its verb, an update its fields from the old value to the new; nothing is sent."""
    was = office.held("customer", "10001")["name"]
    rows = [("A", "10001", None, "Annet", "30"), ("B", None, "777", "Ny", None)]
    same = ("C", "10002", None, office.held("customer", "10002")["name"], None)
    office.put(UPSERT, HEADERS, *rows, same)
    assert office.say("plan") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"name {was!r} -> 'Annet', creditTermsId empty -> '30'" in said
    assert "send 2 (create 1, update 1), skip 1, blocked 0" in said
    assert office.say("plan", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert [(one["endpoint"], one["action"], one["number"]) for one in data["plan"]] == [
        ("customer.update", "send", "10001"),
        ("customer.create", "send", None),
        ("customer.update", "skip", "10002"),
    ]
    assert (data["create"], data["update"]) == (1, 1)
    assert office.writes() == []


def test_a_change_between_reading_and_sending_is_refused(tmp_path: Path) -> None:
    """The version that was read goes out with every update; somebody's change meanwhile is not overwritten."""
    slow = Fault(match="GET /customer/10001", kind="hang", nth=1, delay_s=0.5)
    with serve(tmp_path, replace(SETTINGS, faults=(slow,))) as office:
        over, count = threading.Event(), iter(range(10**6))

        def change() -> None:
            while not over.wait(0.02):
                office.somebody("PUT", "/v1/customer/10001", wrap(name=f"Theirs {next(count)}"))

        other = threading.Thread(target=change)
        other.start()
        code, statuses, messages = run(office, ("A", "10001", None, "Ours", None))
        over.set()
        other.join()
        (write,) = office.writes()
        assert (code, statuses, write.status) == (4, ["rejected"], 412)
        assert "Run again" in messages[0]
        assert office.held("customer", "10001")["name"].startswith("Theirs")
        assert run(office, ("A", "10001", None, "Ours", None))[1] == ["accepted"]
        assert office.held("customer", "10001")["name"] == "Ours"


def test_what_another_mapping_created_under_the_key_is_found_by_the_journal(office: Office) -> None:
    """A customer that Visma numbered, with nothing to find it by: the journal knows its number by the row's key."""
    create = "version: 1\nendpoint: customer.create\nkey: Key\nfields: {name: Name}\n"
    assert office.run(create, ("Key", "Name"), ("A", "Ny"))[1] == ["accepted"]
    code, statuses, _ = run(office, ("A", None, None, "Nyere", None))
    assert (code, statuses) == (0, ["accepted"])
    assert [each["name"] for each in added(office)] == [{"value": "Nyere"}]
    assert office.run(create, ("Key", "Name"), ("A", "Enda nyere"))[1] == ["changed"]


def test_what_an_upsert_created_is_found_by_the_journal_though_nothing_identifies_it(office: Office) -> None:
    """Run again, a customer without an identifier is not created a second time, and its changes are sent."""
    assert run(office, ("A", None, None, "Ny", None))[1] == ["accepted"]
    assert run(office, ("A", None, None, "Ny", None))[1] == ["already_accepted"]
    assert run(office, ("A", None, None, "Nyere", None))[1] == ["accepted"]
    assert [each["name"] for each in added(office)] == [{"value": "Nyere"}]


def test_what_was_created_and_is_gone_is_for_a_person_to_decide(office: Office) -> None:
    """It is `changed`; by a person's `--not-there` the next run creates it."""
    row = ("A", None, None, "Ny", None)
    assert run(office, row)[1] == ["accepted"]
    with closing(sqlite3.connect(office.project.parent / "company" / "sandbox.db")) as db:
        db.execute("DELETE FROM documents WHERE seed = 0")
        db.commit()
    code, statuses, messages = run(office, row)
    assert (code, statuses) == (4, ["changed"])
    assert "resolve --key A" in messages[0]
    assert run_command(["resolve", "--key", "A", "--not-there", "--yes", "--target", "company"]) == 0
    assert run(office, row)[1] == ["accepted"]
    assert len(added(office)) == 1


def test_a_doubtful_update_is_known_to_have_come_through_by_the_next_run(tmp_path: Path) -> None:
    """The answer was cut off after the change: unknown, then there already, sent once, and nothing stays in doubt."""
    lost = Fault(match="PUT /customer/", kind="cut_after", nth=1)
    with serve(tmp_path, replace(SETTINGS, faults=(lost,))) as office:
        row = ("A", "10001", None, "Annet", None)
        assert run(office, row)[:2] == (5, ["unknown"])
        assert run(office, row)[:2] == (0, ["already_accepted"])
        assert len(office.writes()) == 1
        assert run_command(["resolve", "--target", "company"]) == 0


def test_a_doubtful_update_goes_again_and_other_content_waits_also_of_other_mappings(tmp_path: Path) -> None:
    """Until it can no longer come through, other content for the customer is held, by upserts and by updates alike."""
    lost = Fault(match="PUT /customer/", kind="cut_before", nth=1)
    with serve(tmp_path, replace(SETTINGS, faults=(lost,))) as office:
        assert run(office, ("A", "10001", None, "A", None))[:2] == (5, ["unknown"])
        code, statuses, messages = run(office, ("A", "10001", None, "B", None))
        assert (code, statuses) == (5, ["not_sent"])
        assert "--key 10001" in messages[0]
        assert office.run(CUSTOMER, ("No", "Name", "Terms", "City"), ("10001", "C", None, None))[1] == ["not_sent"]
        assert len(office.writes()) == 1
        assert run(office, ("A", "10001", None, "A", None))[:2] == (0, ["accepted"])
        assert run(office, ("A", "10001", None, "B", None))[:2] == (5, ["not_sent"])


def test_a_doubtful_create_is_never_sent_again_before_it_is_settled(tmp_path: Path) -> None:
    """It stays unknown while it may yet come, and what it left is found at the end of its run."""
    faults = (
        Fault(match="POST customer", kind="cut_before", nth=1),
        Fault(match="POST customer", kind="cut_after", nth=2),
    )
    with serve(tmp_path, replace(SETTINGS, faults=faults)) as office:
        rows = [("A", None, "771", "En", None), ("B", None, "772", "To", None)]
        assert run(office, *rows)[:2] == (5, ["unknown", "accepted"])
        assert run(office, *rows)[:2] == (5, ["unknown", "already_accepted"])
        assert len(office.writes()) == 2


def test_what_cannot_be_put_back_is_told(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that was empty is named on the screen and in both files; texts that were empty are emptied again."""
    mapping = UPSERT + "  creditLimit: Limit\n  note: Note\n"
    before = office.held("customer", "10001")
    row = ("A", "10001", None, None, "30", 5, "Ring")
    assert office.run(mapping, (*HEADERS, "Limit", "Note"), row)[1] == ["accepted"]
    said = capsys.readouterr().out
    folder = office.project / "reports" / str(office.runs)
    text = (folder / "replaced.mapping.yaml").read_text(encoding="utf-8")
    (before_sheet, left) = openpyxl.load_workbook(folder / "replaced.xlsx").worksheets
    assert "2 values cannot be put back" in said
    assert "'10001' creditLimit: it was empty" in text
    assert [[cell.value for cell in row] for row in before_sheet.iter_rows()] == [
        ["Number", "creditTermsId"],
        ["10001", None],
    ]
    assert [row[1].value for row in left.iter_rows(min_row=2)] == ["note", "creditLimit"]
    assert put_back(office) == 0
    after = office.held("customer", "10001")
    kept = before.keys() - {"lastModifiedDateTime", "timeStamp"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert "creditTermsId" not in office.held("customer", "10001")
    # what the API does not read out was accepted last with this content: it is no reason to send again
    assert office.run(mapping, (*HEADERS, "Limit", "Note"), row)[1] == ["accepted"]
    assert office.run(mapping, (*HEADERS, "Limit", "Note"), row)[1] == ["already_accepted"]


def test_an_invoice_refers_to_a_customer_by_its_key_whether_it_was_created_or_was_there(office: Office) -> None:
    """The number of a customer that an upsert found, changed or left alone is known under its key as a new one's is."""
    (office.project / "customers.yaml").write_text(UPSERT + "name: customers\n", encoding="utf-8")
    same = office.held("customer", "10002")["name"]
    rows = [("A", "10001", None, "Annet", None), ("B", "10002", None, same, None), ("C", None, "777", "Ny", None)]
    assert run(office, *rows)[1] == ["accepted", "already_accepted", "accepted"]
    new = results(office)[2]["number"]
    invoices = (
        "version: 1\nendpoint: customerInvoice.create\nkey: No\n"
        "fields: {externalReference: No, customerNumber: {document: customers, key: Customer}}\n"
        "lines: {description: Text, quantity: Qty}\n"
    )
    lines = [(f"F{spot}", key, "Kaffe", 1) for spot, key in enumerate("ABC")]
    assert office.run(invoices, ("No", "Customer", "Text", "Qty"), *lines)[1] == ["accepted"] * 3
    held = inspect.documents(office.project.parent / "company", "customerInvoice")
    assert [each["body"]["customerNumber"]["value"] for each in held] == ["10001", "10002", new]


def test_a_saved_plan_of_an_upsert_is_sent_once_and_only_while_it_holds(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """What somebody changed since makes it stale; else exactly its changes go out, and not a second time."""
    rows = [("A", "10001", None, "Annet", None), ("B", None, "777", "Ny", None)]
    office.put(UPSERT, HEADERS, *rows)
    apply = ["run", "--plan", "saved.plan", "--target", "company", "--yes", "--quiet", "--workers", "1"]
    assert office.say("plan", "-o", "stale.plan") == 0
    office.somebody("PUT", "/v1/customer/10001", wrap(name="Annet"))
    assert run_command([*apply[:2], "stale.plan", *apply[3:]]) == 3
    assert "no longer holds" in capsys.readouterr().err
    office.somebody("PUT", "/v1/customer/10001", wrap(name="Noe annet"))
    assert office.say("plan", "-o", "saved.plan") == 0
    assert run_command(apply) == 0
    assert office.bodies() == [wrap(name="Annet"), wrap(corporateId="777", name="Ny")]
    assert run_command(apply) == 3
    assert office.writes() == []
