"""The command `fetch`: its options reach the API, and what it fetched can be edited and sent back."""

import json
from pathlib import Path

import openpyxl
from end_to_end import command
from fetching import aim, create, line, wrapped

from importer.sandbox import Sandbox, inspect


def test_the_options_reach_the_api(tmp_path: Path) -> None:
    """Each short option is a filter of the API, and one that a list does not have is refused."""
    with Sandbox(tmp_path / "box") as box:
        aim(tmp_path, box)
        create(
            box.base_url,
            "/v1/customerCreditNote",
            wrapped(customerNumber="10000", documentDate="2025-01-27", lines=[line(description="x")]),
        )
        code, _, stderr = command(
            *("fetch", "customerCreditNote", "-o", "n.xlsx", "--status", "balanced", "--period", "01-2025"),
            *("--expand", "attachments,taxDetails", "--since", "2025-01-14", "--quiet"),
            cwd=tmp_path,
        )
        query = box.requests_log[-1].query
        refused, _, _ = command("fetch", "customer", "-o", "n.xlsx", "--project", "P1", cwd=tmp_path)
        no_lines, _, why = command("fetch", "customer", "-o", "n.xlsx", "--lines", cwd=tmp_path)

    assert code == 0, stderr
    assert {"status=Balanced", "financialPeriod=202501", "expandAttachments=true", "expandTaxDetails=true"} <= set(
        query.split("&")
    )
    assert (refused, no_lines) == (2, 2)
    assert "customers have no lines" in why
    assert len(openpyxl.load_workbook(tmp_path / "n.xlsx").worksheets[0]["A"]) == 2


def test_what_json_says(tmp_path: Path) -> None:
    """Programs read counts, file and warnings on stdout, and nothing else is there."""
    code, stdout, _ = command("fetch", "customer", "-o", "c.csv", "--filter", "name=fisk", "--json", cwd=tmp_path)
    data = json.loads(stdout)

    assert code == 0
    assert data == {
        "format_version": 1,
        "exit_code": 0,
        "resource": "customer",
        "target": "sandbox",
        "documents": 4,
        "rows": 4,
        "file": "c.csv",
        "warnings": [],
    }


UPDATE = """\
version: 1
name: customers
endpoint: customer.update
compare: true
key: number
fields:
  name: name
  status: status
  corporateId: corporateId
  vatRegistrationId: vatRegistrationId
  mainAddress:
    addressLine1: mainAddress.addressLine1
    postalCode: mainAddress.postalCode
    city: mainAddress.city
    countryId: mainAddress.country.id
  mainContact: {email: mainContact.email}
"""


def test_a_fetched_workbook_that_was_edited_sends_only_what_was_changed(tmp_path: Path) -> None:
    """100 customers fetched, two cells edited, given to an update that compares: two requests, and nothing else."""
    (tmp_path / "update.yaml").write_text(UPDATE, encoding="utf-8")
    code, _, stderr = command("fetch", "customer", "-o", "customers.xlsx", cwd=tmp_path)
    assert code == 0, stderr
    book = openpyxl.load_workbook(tmp_path / "customers.xlsx")
    sheet = book.worksheets[0]
    column = {cell.value: cell.column for cell in sheet[1]}
    sheet.cell(5, column["mainAddress.postalCode"]).value = "0102"
    sheet.cell(60, column["name"]).value = "Nytt navn AS"
    changed = [sheet.cell(row, column["number"]).value for row in (5, 60)]
    book.save(tmp_path / "customers.xlsx")
    state = tmp_path / ".visma-import" / "sandbox"
    before = {row["number"]: row["body"] for row in inspect.documents(state, "customer", seed=True)}

    code, stdout, stderr = command("run", "update.yaml", "customers.xlsx", cwd=tmp_path)

    after = {row["number"]: row["body"] for row in inspect.documents(state, "customer", seed=True)}
    assert code == 0, stdout + stderr
    assert inspect.writes(state) == 2
    assert [number for number in after if after[number] != before[number]] == changed
    assert after[changed[0]]["mainAddress"]["value"]["postalCode"] == {"value": "0102"}
    assert after[changed[1]]["name"] == {"value": "Nytt navn AS"}


def test_what_a_cell_cannot_keep_is_no_change(tmp_path: Path) -> None:
    """White space around a text, its line breaks and its composed letters are not edits of the user."""
    (tmp_path / "update.yaml").write_text(UPDATE, encoding="utf-8")
    state = tmp_path / ".visma-import" / "sandbox"
    names = {
        "90001": " Øst AS ",
        "90002": "A\r\nB",
        "90003": "Blåbær AS",
        "90004": "=1+1",
        "90005": "_x0041_",
        "90006": "NO",
    }
    with Sandbox(state) as box:
        create(box.base_url, "/v1/customer", *(wrapped(number=number, name=name) for number, name in names.items()))
    code, _, stderr = command("fetch", "customer", "-o", "customers.xlsx", "--filter", "status=Active", cwd=tmp_path)
    assert code == 0, stderr
    before = inspect.writes(state)

    code, stdout, stderr = command("run", "update.yaml", "customers.xlsx", cwd=tmp_path)

    assert code == 0, stdout + stderr
    assert inspect.writes(state) == before, "nothing was edited, so nothing is sent"
