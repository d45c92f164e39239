"""Customers created or changed by one mapping, against the sandbox: what is sent, what is not, what is put back."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from end_to_end import copy_sample, program_here
from test_tutorial import section
from test_updates import SETTINGS, Office, serve, wrap

from importer.cli import run_command
from importer.sandbox import Sandbox, inspect
from importer.sandbox.server import Logged

UPSERT = """\
version: 1
endpoint: customer.upsert
key: Old
fields:
  number: {column: No, blank: omit}
  name: Name
  corporateId: {column: Org, blank: omit}
  vatRegistrationId: {column: Vat, blank: omit}
  creditTermsId: {column: Terms, blank: omit}
  creditLimit: {column: Limit, blank: omit}
  sendInvoicesByEmail: {column: Mail, blank: omit, map: {ja: true, nei: false}}
  overrideWithClassValues: {value: false}
  mainAddress: {city: {column: City, blank: omit}}
"""
HEADERS = ("Old", "No", "Name", "Org", "Vat", "Terms", "Limit", "Mail", "City")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Serve a company without faults."""
    with serve(tmp_path, SETTINGS) as found:
        yield found


def customer(place: int) -> dict[str, Any]:
    """Return the body of a customer that somebody typed; some of its fields are not filled in."""
    body = wrap(name=f"Kunde {place}", corporateId=f"9{place:08}", vatRegistrationId=f"NO9{place:08}MVA")
    if place % 2:
        body |= wrap(creditTermsId="30", creditLimit=1000 + place)
    return body | {"mainAddress": {"value": wrap(city=f"Oslo {place}", addressLine1="Gata 1")}}


def typed(office: Office, place: int, **more: Any) -> str:
    """Let somebody type a customer; return its number."""
    answer = office.somebody("POST", "/v1/customer", customer(place) | wrap(**more))
    return str(answer.headers["Location"]).rpartition("/")[2]


def row(place: int, number: str | None = None, **other: Any) -> tuple[Any, ...]:
    """Return a row that says of a customer what somebody typed, found by its number, corporateId or VAT number."""
    found_by = "No" if number and place % 3 == 0 else "Org" if place % 3 < 2 else "Vat"
    body = customer(place)
    held = {
        "Old": f"K{place:04}",
        "No": number if found_by == "No" else None,
        "Name": body["name"]["value"],
        "Org": body["corporateId"]["value"] if found_by == "Org" else None,
        "Vat": body["vatRegistrationId"]["value"] if found_by == "Vat" else None,
        "Terms": "30" if place % 2 else None,
        "Limit": 1000 + place if place % 2 else None,
        "Mail": None,
        "City": body["mainAddress"]["value"]["city"]["value"],
    } | other
    return tuple(held[name] for name in HEADERS)


def held(office: Office) -> dict[str, Any]:
    """Return every customer that the company holds, by number, as it was sent."""
    return {each["number"]: each["body"] for each in inspect.documents(office.project.parent / "company", "customer")}


def results(office: Office) -> list[dict[str, Any]]:
    """Return what the latest run said of each document."""
    file = office.project / "reports" / str(office.runs) / "results.json"
    return list(json.loads(file.read_text(encoding="utf-8"))["documents"])


def put_back(office: Office) -> int:
    """Carry out the mapping that the latest run wrote, on what it replaced."""
    mapping = office.project / "reports" / str(office.runs) / "replaced.mapping.yaml"
    return run_command(["run", str(mapping), "--target", "company", "--yes", "--quiet", "--report", "back"])


@dataclass(frozen=True)
class Stock:
    """Hold 150 customers that somebody typed, two twins of theirs, and 300 rows about these and 150 others."""

    numbers: list[str]
    twins: dict[int, str]
    rows: list[tuple[Any, ...]]


def changed(place: int) -> dict[str, Any]:
    """Return the cells in which a row differs from what somebody typed."""
    return {"Name": f"Nytt navn {place}", "City": "Bergen", "Limit": 7} if place % 2 else {"Terms": "14"}


def stock(office: Office) -> Stock:
    """Let somebody type the customers; 100 rows are what they typed, 50 differ from it, 150 are new."""
    numbers = [typed(office, place) for place in range(150)]
    twins = {place: typed(office, 1000 + place, corporateId=f"9{place:08}") for place in (0, 1)}
    same = [row(place, numbers[place], Org=f"9{place:08}") for place in range(100)]
    other = [row(place, numbers[place], **changed(place)) for place in range(100, 150)]
    return Stock(numbers, twins, [*same, *other, *(row(place) for place in range(200, 350))])


def test_300_rows_are_created_updated_or_left_alone_and_put_back(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """150 of 300 rows are created, 50 updated by what differs, 98 not sent, 2 are doubles; then all is as it was."""
    there = stock(office)
    before = held(office)
    office.writes()
    code, statuses, messages = office.run(UPSERT, HEADERS, *there.rows)

    assert (code, Counter(statuses)) == (4, {"invalid": 2, "already_accepted": 98, "accepted": 200})
    assert "Created 150 customers, changed 50 customers." in capsys.readouterr().out
    see_doubles_named(office, there)
    assert messages[100] == f"Change of {there.numbers[100]}: creditTermsId."
    assert messages[150] == "New customer."
    see_only_changes_sent(office.writes(), there)

    assert put_back(office) == 0
    after = held(office)
    assert {number: after[number] for number in before} == before
    assert len(after) == len(before) + 150
    code, statuses, _ = office.run(UPSERT, HEADERS, *there.rows)
    assert (code, Counter(statuses)) == (4, {"invalid": 2, "already_accepted": 248, "accepted": 50})


def see_doubles_named(office: Office, there: Stock) -> None:
    """See that the rows of the twins name both customers at the cell that finds them."""
    for place, document in enumerate(results(office)[:2]):
        told = document["problems"][0]
        assert (told["code"], told["column"], told["row"]) == ("found_twice", "Org", place + 2)
        assert there.numbers[place] in told["message"]
        assert there.twins[place] in told["message"]


def see_only_changes_sent(writes: list[Logged], there: Stock) -> None:
    """See that 150 creates went out, and 50 updates that hold what differs and the version that was read."""
    updates = {each.path.rpartition("/")[2]: each for each in writes if each.method == "PUT"}
    assert Counter(each.method for each in writes) == {"POST": 150, "PUT": 50}
    for place in range(100, 150):
        update = updates[there.numbers[place]]
        sent = json.loads(update.body)
        assert sent.pop("overrideWithClassValues") is False
        name = wrap(name=f"Nytt navn {place}", creditLimit=7) | {"mainAddress": {"value": wrap(city="Bergen")}}
        assert sent == (name if place % 2 else wrap(creditTermsId="14"))
        assert update.headers["if-match"].startswith('"')


def test_the_commands_of_readme_put_the_samples_customers_back(tmp_path: Path) -> None:
    """What README shows runs as it stands there: after it the customers that were changed have what they had before."""
    project = copy_sample("customers-upsert", tmp_path)
    state = project / ".visma-import" / "sandbox"
    commands = [line.partition("visma-import ")[2].split() for line in section("upsert").splitlines()[1:]]
    assert [words[0] for words in commands] == ["sandbox", "run", "run"]
    seeds = []
    for words in commands:
        done = program_here(*words, cwd=project)
        assert done.returncode == 0, done.stdout + done.stderr
        seeds.append({each["number"]: each["body"] for each in inspect.documents(state, "customer", seed=True)})
    with Sandbox(tmp_path / "another"):
        fresh = inspect.documents(tmp_path / "another", "customer", seed=True)
        started = {each["number"]: each["body"] for each in fresh}
    _, changed, back = seeds
    assert len([number for number in started if changed[number] != started[number]]) == 5
    assert len(changed) == len(started) + 3
    # an amount cannot be emptied again, and the program says so
    for number, body in started.items():
        assert {**back[number], "creditLimit": None} == {**body, "creditLimit": None}


def test_an_update_that_compares_leaves_what_it_replaced_too(office: Office) -> None:
    """The same two files, as the update mapping may be the wrong one as well."""
    mapping = "version: 1\nendpoint: customer.update\ncompare: true\nkey: No\nfields: {name: Name}\n"
    was = {number: office.held("customer", number)["name"] for number in ("10001", "10002")}
    assert office.run(mapping, ("No", "Name"), ("10001", "Ny"), ("10002", was["10002"]))[0] == 0
    assert office.held("customer", "10001")["name"] == "Ny"
    assert put_back(office) == 0
    assert {number: office.held("customer", number)["name"] for number in was} == was


def test_only_what_was_accepted_or_may_have_been_is_put_back(office: Office) -> None:
    """An update that the API refused replaced nothing: it is in neither file, and without any there are none."""
    good, bad = ("A", "10001", "Ny", "30"), ("B", "10002", "Ny", "UNKNOWN")
    mapping = UPSERT.partition("  corporateId")[0] + "  creditTermsId: Terms\n"
    headers = ("Old", "No", "Name", "Terms")
    assert office.run(mapping, headers, good, bad)[1] == ["accepted", "rejected"]
    folder = office.project / "reports" / str(office.runs)
    (sheet,) = openpyxl.load_workbook(folder / "replaced.xlsx").worksheets
    assert [row[0].value for row in sheet.iter_rows()] == ["Number", "10001"]
    assert office.run(mapping, headers, good, bad)[1] == ["already_accepted", "rejected"]
    assert not list((office.project / "reports" / str(office.runs)).glob("replaced*"))
