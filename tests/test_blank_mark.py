"""An import workbook carries the name and version of its mapping, and `check` tells where they differ."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from blanks import MAPPING, make
from end_to_end import command
from openpyxl.packaging.custom import StringProperty

from importer.blank_mark import PROPERTY, carried_mark, outdated
from importer.mapping_file import read_mapping


def read(folder: Path, text: str) -> Any:
    (folder / "other.yaml").write_text(text, encoding="utf-8")
    return read_mapping(folder / "other.yaml")


def test_a_workbook_carries_its_mapping_and_agrees_with_it(tmp_path: Path) -> None:
    """Name and version are a document property, and no warning is given for the mapping it was made from."""
    make(tmp_path)
    mapping = read_mapping(tmp_path / "mapping.yaml")
    mark = carried_mark(tmp_path / "blank.xlsx")

    assert mark is not None
    assert (mark.mapping, len(mark.version)) == ("invoices", 12)
    assert outdated(mapping, mark) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lines:\n", "  note: Remark\nlines:\n"),
        ("  documentDate: Date\n", ""),
        ("column: Price", "column: Net price"),
        ("stk: STK", "pk: PK"),
        ("decimals: 2", "decimals: 3"),
        ("pad: 6", "pad: 7"),
        ("documentDate: Date", "documentDueDate: Date"),
        ("documentDate: Date", "documentDate: {column: Date, required: true}"),
        ("{locale: nb-NO}", "{locale: nb-NO, header_row: 3}"),
    ],
)
def test_a_workbook_of_other_columns_is_outdated(tmp_path: Path, before: str, after: str) -> None:
    """Columns, types, codes and what must be filled in are the version; the warning says what to do."""
    make(tmp_path)
    changed = MAPPING.replace(before, after)
    assert changed != MAPPING
    (warning,) = outdated(read(tmp_path, changed), carried_mark(tmp_path / "blank.xlsx"))

    assert warning.code == "template_outdated"
    assert "visma-import workbook" in warning.message


def test_check_warns_where_the_columns_were_changed(tmp_path: Path) -> None:
    """The warning stands apart from problems, and says nothing about the mapping that the workbook was made from."""
    make(tmp_path)
    own = json.loads(command("check", "mapping.yaml", "blank.xlsx", "--json", cwd=tmp_path)[1])
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("lines:\n", "  note: Remark\nlines:\n"), encoding="utf-8")
    changed = json.loads(command("check", "mapping.yaml", "blank.xlsx", "--json", cwd=tmp_path)[1])

    assert [warning["code"] for warning in own["warnings"] if "template" in warning["code"]] == []
    assert [warning["code"] for warning in changed["warnings"] if "template" in warning["code"]] == [
        "template_outdated"
    ]
    assert {problem["code"] for problem in changed["problems"]} == {"no_column"}


def test_what_no_column_shows_outdates_no_workbook(tmp_path: Path) -> None:
    """Comments, the order of the sections and constants are not the version."""
    make(tmp_path)
    changed = "# a comment\n" + MAPPING.replace("lines:\n", "  paymentMethodId: {value: 10}\nlines:\n")

    assert outdated(read(tmp_path, changed), carried_mark(tmp_path / "blank.xlsx")) == []


def test_a_workbook_of_another_mapping_is_told_by_both_names(tmp_path: Path) -> None:
    """Somebody filled in the wrong form."""
    make(tmp_path)
    other = read(tmp_path, MAPPING.replace("name: invoices", "name: rent"))
    (warning,) = outdated(other, carried_mark(tmp_path / "blank.xlsx"))

    assert warning.code == "template_other_mapping"
    assert "'invoices'" in warning.message
    assert "'rent'" in warning.message


def odd_files(folder: Path) -> Iterator[Path]:
    """Yield files that carry no mark: nobody's workbook, one whose mark is broken, no workbook at all, none."""
    for name, value in {"plain": None, "broken": "{", "list": "[1]", "part": '{"mapping": "x"}'}.items():
        book: Any = openpyxl.Workbook()
        if value is not None:
            book.custom_doc_props.append(StringProperty(name=PROPERTY, value=value))
        book.save(folder / f"{name}.xlsx")
        yield folder / f"{name}.xlsx"
    (folder / "rows.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    yield folder / "rows.csv"
    yield folder / "nowhere.xlsx"


def test_any_other_file_carries_no_mark(tmp_path: Path) -> None:
    """The user's own workbook, a damaged mark or a .csv give no warning and no error."""
    mapping = read(tmp_path, MAPPING)

    assert [outdated(mapping, carried_mark(file)) for file in odd_files(tmp_path)] == [[]] * 6


def test_a_mark_that_cannot_be_unpacked_is_none(tmp_path: Path) -> None:
    """A damaged byte where the mark lies is no reason to stop, and never looks like a bug of the program."""
    make(tmp_path)
    file = tmp_path / "blank.xlsx"
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo("docProps/custom.xml")
    raw = bytearray(file.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    raw[start : start + info.compress_size] = b"\xff" * info.compress_size
    file.write_bytes(raw)

    assert carried_mark(file) is None


def test_libreoffice_keeps_the_mark(tmp_path: Path) -> None:
    """Saved again by another program it still says which mapping it was made from."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    make(tmp_path)
    (tmp_path / "again").mkdir()
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    arguments = [office, profile, "--headless", "--convert-to", "xlsx", "--outdir", "again", "blank.xlsx"]
    subprocess.run(arguments, cwd=tmp_path, capture_output=True, timeout=180, check=True)

    assert carried_mark(tmp_path / "again" / "blank.xlsx") == carried_mark(tmp_path / "blank.xlsx")
    assert command("check", "mapping.yaml", "again/blank.xlsx", cwd=tmp_path)[0] == 0
