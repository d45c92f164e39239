"""What the commands say is said in whole words, counts included, and names what a person can do next."""

import json
from pathlib import Path

import pytest
from end_to_end import command, invoice_rows, make_project, program, write_workbook
from terminal import seen

from importer import workbook
from importer.drafting import find_sheet, read_words
from importer.errors import WorkbookError


def test_one_of_a_thing_is_not_told_as_several(tmp_path: Path) -> None:
    """One document, one problem, one warning, one row: each in the singular, with what belongs to it."""
    rows = invoice_rows(2)
    project = make_project(tmp_path / "p", [rows[0], (*rows[1][:4], "x", *rows[1][5:])])
    bad = command("check", "mapping.yaml", cwd=project)[1]
    held = command("run", "mapping.yaml", cwd=project)[1]
    write_workbook(project / "none.xlsx", [])
    write_workbook(project / "one.xlsx", rows[:1])
    none = command("check", "mapping.yaml", "none.xlsx", cwd=project)[1]
    sent = command("run", "mapping.yaml", "one.xlsx", cwd=project)[1]

    assert "1 document ready, 1 invalid" in bad
    assert "1 problem. Correct it and check again." in bad
    assert "--skip-invalid sends the 1 good document all the same." in held
    assert none.startswith("1 warning (it holds nothing back):")
    assert "one.xlsx, sheet Invoices: 1 row, 1 document." in sent


def test_a_document_of_one_row_is_told_with_its_row(tmp_path: Path) -> None:
    """The row of a document that needs attention is written as in every other list."""
    project = make_project(tmp_path / "p", invoice_rows(1))
    said = command("run", "mapping.yaml", "--rehearse", "cut_before@1", cwd=project)[1]

    assert "unknown F0001 (row 2)" in said


def test_a_sheet_without_rows_is_warned_of(tmp_path: Path) -> None:
    """Nothing to send is no mistake, but rarely what was meant: the wrong sheet, or rows deleted."""
    project = make_project(tmp_path / "p", [])
    code, said, _ = command("check", "mapping.yaml", "--json", cwd=project)
    (found,) = json.loads(said)["warnings"]
    write_workbook(project / "invoices.xlsx", invoice_rows(1))

    assert (code, found["code"]) == (0, "no_rows")
    assert "no rows below the headers in row 1" in found["message"]
    assert json.loads(command("check", "mapping.yaml", "--json", cwd=project)[1])["warnings"] == []


@pytest.mark.parametrize("content", [b"\x04Kari" + b" " * 160, b"\x04Kari" + b" \x00" * 80], ids=["text", "binary"])
def test_the_file_that_marks_an_open_workbook_is_told_as_that(tmp_path: Path, content: bytes) -> None:
    """Excel leaves `~$rows.xlsx` beside `rows.xlsx` while it is open; the message names the workbook itself."""
    (tmp_path / "~$rows.xlsx").write_bytes(content)

    with pytest.raises(WorkbookError, match=r"has a workbook open\. Name 'rows\.xlsx' itself"):
        workbook.read(tmp_path / "~$rows.xlsx")
    with pytest.raises(WorkbookError, match=r"Name 'rows\.xlsx' itself"):
        find_sheet(tmp_path / "~$rows.xlsx", read_words(), sheet=None, header_row=None)


def test_help_lists_each_command_with_its_whole_sentence(tmp_path: Path) -> None:
    """No line ends in dots, also on a terminal of 80 columns."""
    for group in ((), ("journal",), ("sandbox",)):
        said = command(*group, "--help", cwd=tmp_path)[1]

        assert "..." not in said.replace("[ARGS]...", "")
        assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments", [("run", "--limit", "0"), ("run",), ("unheard-of",), ("check", "m.yaml", "--unheard-of")], ids=" ".join
)
def test_a_mistake_on_the_command_line_is_json_with_json(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A program that asks for JSON gets it whatever is wrong, with the exit code; a person still reads the usage."""
    code, out, error = command(*arguments, "--json", cwd=tmp_path)
    data = json.loads(out)

    assert (code, data["exit_code"]) == (2, 2)
    assert data["errors"][0]["message"] in error.replace("\n", " ")


def test_the_journal_is_carried_with_json_too(tmp_path: Path) -> None:
    """`--json` is taken everywhere: export and import say what they did in JSON, and nothing else on stdout."""
    project = make_project(tmp_path / "p", invoice_rows(2))
    command("run", "mapping.yaml", cwd=project)
    code, out, _ = command("journal", "export", "journal.jsonl", "--json", cwd=project)
    merged, told, _ = command("journal", "import", "journal.jsonl", "--json", "--journal", "other.db", cwd=project)

    assert (code, json.loads(out)["file"], json.loads(out)["rows"] > 0) == (0, "journal.jsonl", True)
    assert (merged, json.loads(told)["exit_code"], sum(json.loads(told)["added"].values()) > 0) == (0, 0, True)


def test_every_command_breaks_its_lines_between_words_on_a_terminal(tmp_path: Path) -> None:
    """On 80 columns no line is longer, whoever says it; the same words as in a pipe, where each is on one line."""
    project = make_project(tmp_path / "p", invoice_rows(2))
    commands: tuple[tuple[str, ...], ...] = (
        ("endpoints",),
        ("doctor",),
        ("init", "invoices.xlsx", "--endpoint", "customerInvoice.create", "--force"),
        ("run", "mapping.yaml", "--rehearse", "cut_before@1"),
        ("resolve",),
        ("report",),
    )
    for arguments in commands:
        lines = seen(*arguments, cwd=project)

        assert lines, arguments
        assert [line for line in lines if len(line) > 80 and " " in line.strip()[:76]] == [], arguments
    listed = " ".join(" ".join(seen("endpoints", cwd=project)).split())

    assert listed == " ".join(program("endpoints", cwd=project).stdout.split())


def test_the_list_of_endpoints_keeps_names_and_descriptions_apart(tmp_path: Path) -> None:
    """The longest name too has a space after it."""
    listed = command("endpoints", cwd=tmp_path)[1].splitlines()
    names = [entry["name"] for entry in json.loads(command("endpoints", "--json", cwd=tmp_path)[1])]

    assert [line.split()[0] for line in listed] == names
