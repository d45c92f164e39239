"""Each mistake in a mapping is told where it was made, with what to do about it."""

from pathlib import Path

import pytest

from importer.errors import MappingError
from importer.mapping_file import read_mapping

HEAD = "version: 1\nendpoint: customer.create\nkey: No\nfields:\n  name: A\n"


def told(folder: Path, text: str) -> str:
    """Return what is said of a mapping that ends with a text."""
    file = folder / "m.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        read_mapping(file, "m.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("   status: B\n", "m.yaml:6:10:", "indent"),
        (" status: B\n", "m.yaml:6:2:", "Indent the line like those"),
        ("\tstatus: B\n", "m.yaml:6:1:", "Indent with spaces"),
        ("  status:B\n", "m.yaml:6:3:", "a space after the colon"),
        ("  - status\n", "m.yaml:6:3:", "Indent the line like those"),
        ("  status: 'B\n  city: C\n", "m.yaml:6:11:", "Close the quote"),
        ('  status: "B\n', "m.yaml:6:11:", "Close the quote"),
        ("  status: 'it's'\n", "m.yaml:6:15:", "double a quote"),
        ("  status: 'A' B\n", "m.yaml:6:15:", "all of the value in quotes"),
        ("  status: {column: B\n", "m.yaml:6:11:", "Close each { and ["),
        ("  status: [B\n", "m.yaml:6:11:", "Close each { and ["),
        ("  status: {column: B]\n", "m.yaml:6:21:", "Close each { and ["),
        ("  status: -\n", "m.yaml:6:11:", "in quotes"),
        ("  status: @B\n", "m.yaml:6:11:", "in quotes"),
        ("  status: B: C\n", "m.yaml:6:12:", "in quotes"),
        ("  status: {column: B, map: {Ja: ?, Nei: ?}}\n", "m.yaml:6:33:", "in place of the ?"),
        ("  status: {column: B, map: {Ja: Active, Nei: ?}}\n", "m.yaml:6:46:", "in place of the ?"),
        ("  status: ?\n", "m.yaml:6:11:", "in place of the ?"),
        ("where: {{ row['A'] != 'x' }}\n", "m.yaml:6:14:", "begins with {{ in quotes"),
        ("  creditLimit: {value: 1,05}\n", "m.yaml:6:26:", "a comma begins a new entry"),
        ("  mainAddress:\n    city: {value: Oslo, Norge}\n", "m.yaml:7:25:", "a comma begins a new entry"),
    ],
)
def test_a_slip_in_writing_is_told_where_it_was_made_with_what_to_do(
    tmp_path: Path, text: str, place: str, advice: str
) -> None:
    """Line and column are those of the slip, not of the end of the file at which it is noticed."""
    said = told(tmp_path, text)

    assert said.startswith(place)
    assert advice in said.splitlines()[3]


def test_a_name_that_is_nothing_in_a_template_is_a_mistake_of_the_mapping(tmp_path: Path) -> None:
    """A header written without row[...] is told once at its line, not for every row of the sheet."""
    said = told(tmp_path, "where: \"{{ Kunde != 'x' }}\"\n")

    assert said.startswith("m.yaml:6:8:")
    assert "row['Kunde']" in said


@pytest.mark.parametrize(
    ("typed", "meant"), [("rwo.A", "row"), ("rows['A']", "row"), ("params.x", "param"), ("Param.x", "param")]
)
def test_a_slip_in_row_or_param_is_told_as_one(tmp_path: Path, typed: str, meant: str) -> None:
    """It is no header."""
    said = told(tmp_path, f'where: "{{{{ {typed} != 1 }}}}"\n')

    assert f"Did you mean '{meant}'?" in said
    assert "Write row[" not in said


@pytest.mark.parametrize("template", ["{{ range(3) | join }}", "{% set a = row['A'] %}{{ a }}", "{{ decimal('1') }}"])
def test_what_a_template_does_know_is_no_mistake(tmp_path: Path, template: str) -> None:
    """Functions, and names that the template sets itself, stay as they are."""
    file = tmp_path / "m.yaml"
    file.write_text(f'{HEAD}  status: {{template: "{template}"}}\n', encoding="utf-8")

    assert read_mapping(file).fields


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("fields: {quantity: A}", "It belongs in 'lines'."),
        ("fields: {addressLine1: A}", "It belongs in 'fields.billingAddress'."),
        ("lines: {customerNumber: A}", "It belongs in 'fields'."),
        ("lines: {period: A}", "It belongs in 'fields'."),
        ("quantity: A", "It belongs in 'lines'."),
        ("fields: {nonsense: A}", "The fields are listed by: visma-import endpoints customerInvoice.create"),
        ("fields: {note: {column: A, quantity: B}}", "Allowed: column, value, template"),
    ],
)
def test_a_name_that_is_not_known_where_it_stands_is_told_with_where_it_belongs(
    tmp_path: Path, text: str, advice: str
) -> None:
    """A field of the lines among those of the document, one of a group outside it, and one that is nowhere."""
    file = tmp_path / "m.yaml"
    file.write_text(f"version: 1\nendpoint: customerInvoice.create\nkey: No\n{text}\n", encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        read_mapping(file, "m.yaml")

    assert advice in str(caught.value)


def test_a_filter_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    """Jinja's own full stop is not doubled."""
    assert "No filter named 'foo'.\n" in told(tmp_path, "where: \"{{ row['A'] | foo }}\"\n")


def test_a_misspelt_file_is_told_with_a_near_one(tmp_path: Path) -> None:
    """A mapping that is not there, and a folder in its place, say what to name instead."""
    (tmp_path / "faktura.yaml").write_text(HEAD, encoding="utf-8")

    with pytest.raises(MappingError, match=r"Did you mean 'faktura\.yaml'\?"):
        read_mapping(tmp_path / "fakture.yaml")
    with pytest.raises(MappingError, match="Name a file that is there"):
        read_mapping(tmp_path / "elsewhere.yaml")
    with pytest.raises(MappingError, match="Name a file in it"):
        read_mapping(tmp_path)


@pytest.mark.parametrize("start", [b"PK\x03\x04\x14\x00", b"\xd0\xcf\x11\xe0\xa1\xb1"], ids=["xlsx", "xls"])
def test_a_workbook_in_place_of_the_mapping_is_told_as_what_it_is(tmp_path: Path, start: bytes) -> None:
    """Who names the workbook first is told the order."""
    file = tmp_path / "rows.xlsx"
    file.write_bytes(start + bytes(100))

    with pytest.raises(MappingError, match=r"This is a workbook(.|\n)*Name the mapping first"):
        read_mapping(file)


def test_a_file_that_may_not_be_read_is_not_proposed_in_its_own_place(tmp_path: Path) -> None:
    """What is there and cannot be opened has another trouble than its name."""
    broken = tmp_path / "faktura.yaml"
    broken.symlink_to(broken)

    with pytest.raises(MappingError, match="cannot be read") as caught:
        read_mapping(broken)
    assert "Did you mean 'faktura.yaml'" not in str(caught.value)
