"""`init`: from a workbook never seen before to a draft in which nothing is guessed and everything is explained."""

import json
import re
from pathlib import Path

import openpyxl
import pytest
from conftest import Draft, MakeWorkbook
from draft_books import WORKBOOKS
from drafts import DAY, INVOICE, below, init, invoices, told
from end_to_end import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.drafting.shape import scalar
from importer.mapping_file import read_mapping
from importer.yamlfile import load


def test_without_a_key_the_draft_says_what_is_missing(draft: Draft) -> None:
    """The command ends well, and the file begins with what a person has to fill in."""
    done = draft([["Foo", "Kundenr", "Antall"], ["x", "10001", 1], ["y", "10002", 2]])

    assert done.code == 0
    assert "key: no column is surely the number that tells the documents apart" in done.stdout
    assert "# Missing:\n# - key: no column" in done.text
    assert "# key: ?" in done.text
    assert command("check", done.file, cwd=done.file.parent)[0] == 3


def test_a_number_that_repeats_is_no_key_where_a_document_is_one_row(draft: Draft) -> None:
    """A register with the same number in most rows is not keyed by it."""
    done = draft([["Kundenr", "Navn"], *[["10001", f"N{n}"] for n in range(5)]], "customer.create")

    assert "key" not in done.data
    assert "there are 1 different in 5 rows" in done.line("# key:")


def test_every_line_behind_a_mark_is_a_line_of_a_mapping(make_workbook: MakeWorkbook) -> None:
    """Whoever takes the # away has a mapping that is read, but for the ? that only a person can fill in."""
    tried = 0
    for endpoint, rows, _ in WORKBOOKS.values():
        done = init(make_workbook(rows()), endpoint, "--force")
        lines = done.text.splitlines()
        for spot, line in enumerate(lines):
            found = re.match(r"( *)# (\w+: .+|\w+:)$", line)
            if not found or "?" in line or spot < lines.index("version: 1") or line.startswith("#"):
                continue
            name = found[2].partition(":")[0]
            if any(re.match(rf" +{name}:", other) for other in lines):
                continue
            tried += 1
            changed = [*lines[:spot], found[1] + found[2], *lines[spot + 1 :]]
            (done.file.with_name("tried.yaml")).write_text("\n".join(changed), encoding="utf-8")
            read_mapping(done.file.with_name("tried.yaml"))
    assert tried >= 5


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(min_size=1, max_size=60))
def test_any_text_is_written_so_that_the_same_text_is_read(tmp_path: Path, text: str) -> None:
    """Quotes, colons, #, control characters and emoji in a header come back as they were."""
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        return
    file = tmp_path / "one.yaml"
    file.write_text(f"key: {scalar(text)}\nmap: {{{scalar(text)}: x}}\n", encoding="utf-8", newline="")

    data = load(file).data
    assert data["key"] == text
    assert list(data["map"]) == [text]


@pytest.mark.parametrize(
    "header", ["Fakturanr: #1 'x' \"y\"", "{{ 7*7 }}", "# key: x", "- liste", "Faktura\nnr", "=1+1", "null", "ja/nei?"]
)
def test_a_hostile_header_breaks_no_draft(draft: Draft, header: str) -> None:
    """Whatever a header or a totals row holds, the draft is YAML that means it."""
    rows = [*below(), ["Sum", None, None, None, 10]]
    rows[0] += [header]
    for row in rows[1:5]:
        row.append("{{ x }} # \n: '\"")
    rows[0][0] = "Fakturanr"
    done = draft(rows)

    assert done.code == 0, done.stderr
    assert read_mapping(done.file).key.column == "Fakturanr"
    assert all(line.startswith("#") for line in done.text.splitlines() if "{{ x }}" in line)


def test_a_totals_row_under_a_quoted_header_is_left_out_too(draft: Draft) -> None:
    """The condition names the header as it is, quotes and all."""
    rows = [*below(), [None, None, None, None, None, "Sum"]]
    rows[0] += ["Kundens 'navn' \\ \"ref\""]
    for row in rows[1:5]:
        row.append("Åse")
    done = draft(rows)

    assert "check: no problems, 4 documents ready." in done.stdout, done.text


def test_a_draft_is_never_overwritten_unasked(draft: Draft) -> None:
    """The file stays as it is with exit code 2; --force overwrites it, and -o names another."""
    done = draft(invoices(("Dato", [DAY])))
    done.file.write_text("mine\n", encoding="utf-8")
    again = draft(invoices(("Dato", [DAY])))
    other = draft(invoices(("Dato", [DAY])), INVOICE, "-o", "other.yaml")
    kept = done.file.read_text(encoding="utf-8")
    forced = draft(invoices(("Dato", [DAY])), INVOICE, "--force")

    assert (again.code, other.code, forced.code) == (2, 0, 0)
    assert "--force" in again.stderr
    assert kept == "mine\n"
    assert (done.file.parent / "other.yaml").read_text(encoding="utf-8") == forced.text
    assert [path.name for path in done.file.parent.iterdir() if path.name.endswith(".part")] == []


def test_the_draft_is_written_beside_the_workbook_and_names_it(tmp_path: Path, make_workbook: MakeWorkbook) -> None:
    """Beside it by its name alone, elsewhere by the way from the draft; the first line leads editors to the schema."""
    workbook = make_workbook(invoices(("Dato", [DAY])))
    (tmp_path / "mappings").mkdir()
    init(workbook)
    init(workbook, INVOICE, "-o", "mappings/mine.yaml")
    beside = (tmp_path / "rows.mapping.yaml").read_text(encoding="utf-8")
    schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", beside)

    assert load(tmp_path / "rows.mapping.yaml").data["workbook"]["file"] == "rows.xlsx"
    assert load(tmp_path / "mappings" / "mine.yaml").data["workbook"]["file"] == "../rows.xlsx"
    assert schema
    assert json.loads((tmp_path / schema[1]).read_text(encoding="utf-8"))["required"] == ["version", "endpoint", "key"]


def test_a_folder_that_cannot_be_written_is_said(make_workbook: MakeWorkbook) -> None:
    """It is an error with the file's name, not a traceback."""
    done = init(make_workbook(invoices(("Dato", [DAY]))), INVOICE, "-o", "nowhere/mine.yaml")

    assert done.code == 3
    assert "mine.yaml' cannot be written" in done.stderr


def test_several_visible_sheets_are_asked_about(draft: Draft) -> None:
    """The message names them and the option."""

    def another(book: openpyxl.Workbook) -> None:
        book.create_sheet("Kunder")

    rows = invoices(("Dato", [DAY]))
    asked = draft(rows, prepare=another)
    said = draft(rows, INVOICE, "--sheet", "Rows", prepare=another)

    assert asked.code == 3
    assert "Rows, Kunder" in asked.stderr
    assert "--sheet NAME" in asked.stderr
    assert said.data["workbook"]["sheet"] == "Rows"


def test_an_unknown_endpoint_is_told_with_a_near_one(draft: Draft) -> None:
    """The command line is refused before the workbook is read."""
    done = draft(invoices(("Dato", [DAY])), "customerInvoice.crate")

    assert done.code == 2
    assert "customerInvoice.create" in done.stderr


@pytest.mark.parametrize("content", [b"", b"not a workbook at all \x00\x01", b"PK\x03\x04 broken"])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    """Exit code 3 with a sentence, and no draft."""
    (tmp_path / "rows.xlsx").write_bytes(content)
    done = init(tmp_path / "rows.xlsx")

    assert done.code == 3
    assert "Traceback" not in done.stderr
    assert not done.file.exists()


def test_a_sheet_without_headers_is_refused(draft: Draft) -> None:
    """Numbers alone are no headers; the message says how to name the row."""
    done = draft([[1, 2, 3], [4, 5, 6], [7, 8, 9]])

    assert done.code == 3
    assert "--header-row N" in done.stderr


def test_hidden_rows_and_repeated_headers_are_told(draft: Draft) -> None:
    """What to do with hidden rows is a question, and a header that stands twice is used by nothing."""

    def hide(book: openpyxl.Workbook) -> None:
        book.worksheets[0].row_dimensions[3].hidden = True

    done = draft(invoices(("Dato", [DAY] * 3), ("Dato", [DAY] * 3)), prepare=hide)

    assert "# hidden_rows: skip" in done.text
    assert "1 row hidden" in done.text
    assert "'Dato' stands more than once" in done.text
    assert "'Dato' stands more than once" in done.stdout
    assert "documentDate" not in done.data["fields"]


def test_json_says_what_was_matched_and_why(make_workbook: MakeWorkbook) -> None:
    """Programs get every column with its field, its evidence and its doubt."""
    data = told(make_workbook(invoices(("Dato", [DAY]), ("Selger", ["Åse"]), ("Bil", ["x"]))), INVOICE)
    items = {item["field"]: item for item in data["columns"]}

    assert data["exit_code"] == 0
    assert items["fields.documentDate"]["evidence"] == "1 real Excel date"
    assert items["fields.salesperson"]["sure"] is False
    assert "code in Visma, not a name" in items["fields.salesperson"]["doubt"]
    assert data["unmatched"] == ["Bil"]


def test_no_name_or_address_of_a_customer_is_copied_into_the_draft(make_workbook: MakeWorkbook) -> None:
    """Evidence counts texts; it shows codes, dates and numbers, not people."""
    endpoint, rows, _ = WORKBOOKS["Swedish"]
    text = init(make_workbook(rows()), endpoint).text

    assert not [name for name in ("Båtvarv", "Måleri", "Brogatan", "@example.com", "+46") if name in text]


def test_the_command_that_is_printed_can_be_copied(make_workbook: MakeWorkbook) -> None:
    """A file whose name a shell would take apart stands in quotes."""
    done = init(make_workbook(invoices(("Dato", [DAY]))), INVOICE, "-o", "my draft; & more.yaml")

    assert done.code == 0
    assert "visma-import check 'my draft; & more.yaml'" in done.stdout
