"""A text file is read as the table that was exported: nothing shifted, nothing guessed without a word."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from importer.errors import WorkbookError
from importer.model import Fault
from importer.workbook import Sheet, TextLayout, open_book, read

NAMES = "No;Navn;Beløp\r\n0101;Kjøpesenter Ås;1,50\r\n0102;Blåbær AS;2,60\r\n"


def write(folder: Path, content: str | bytes, name: str = "rader.csv", encoding: str = "utf-8") -> Path:
    """Write a text file as it is given."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return file


def cells(sheet: Sheet) -> list[list[Any]]:
    """Return the cells below the header; a fault as its code."""
    return [[cell.code if isinstance(cell, Fault) else cell for cell in row.cells] for row in sheet.rows]


ROWS = [["0101", "Kjøpesenter Ås", "1,50"], ["0102", "Blåbær AS", "2,60"]]


# -- delimiters and lines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_c28_the_delimiter_is_the_one_that_fits_every_line(tmp_path: Path, delimiter: str) -> None:
    """C28: each usual delimiter is found, also where the cells hold the others."""
    lines = [["No", "Navn", "Pris"], ["0101", "A & B: 1/2", "1.50"], ["0102", "C", ""]]
    sheet = read(write(tmp_path, "\n".join(delimiter.join(line) for line in lines)))

    assert sheet.headers == ("No", "Navn", "Pris")
    assert cells(sheet) == [["0101", "A & B: 1/2", "1.50"], ["0102", "C", None]]
    assert sheet.layout == TextLayout(encoding="utf-8", delimiter=delimiter)


def test_c28_decimal_commas_do_not_make_the_comma_a_delimiter(tmp_path: Path) -> None:
    """C28: a comma in every amount has no place in the header, so it delimits nothing."""
    assert cells(read(write(tmp_path, "No;Pris\n1;1,50\n2;2,50\n"))) == [["1", "1,50"], ["2", "2,50"]]


def test_c28_two_delimiters_that_fit_are_asked_about(tmp_path: Path) -> None:
    """C28: where two readings fit every line none is taken until the mapping says which."""
    file = write(tmp_path, "Pris, NOK;Kurs, NOK\n1,50;2,60\n3,00;4,00\n")

    with pytest.raises(
        WorkbookError, match=r"two delimiters: semicolon \(2 columns\) or comma \(3 columns\).*delimiter"
    ):
        read(file)
    assert cells(read(file, delimiter=";")) == [["1,50", "2,60"], ["3,00", "4,00"]]


@pytest.mark.parametrize("declared", [None, ";"])
def test_c28_the_line_that_names_the_delimiter_is_no_row(tmp_path: Path, declared: str | None) -> None:
    """C28: Excel obeys `sep=;` and does not show it, so that the header stays in row 1."""
    sheet = read(write(tmp_path, "sep=;\r\nNo;Navn, kort\r\n1;a, b\r\n"), delimiter=declared)

    assert sheet.headers == ("No", "Navn, kort")
    assert [(row.number, row.cells) for row in sheet.rows] == [(2, ("1", "a, b"))]


@pytest.mark.parametrize(("declared", "char"), [("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), ("~", "~")])
def test_c28_a_declared_delimiter_is_believed(tmp_path: Path, declared: str, char: str) -> None:
    """C28: what the mapping declares is taken, tabs also by name."""
    assert cells(read(write(tmp_path, f"No{char}A;B\n1{char}x;y\n"), delimiter=declared)) == [["1", "x;y"]]


@pytest.mark.parametrize("declared", [";;", '"', "\n"])
def test_c28_a_delimiter_that_cannot_be_one_is_refused(tmp_path: Path, declared: str) -> None:
    """C28: a delimiter is one character, and none that means something else."""
    with pytest.raises(WorkbookError, match="cannot be one"):
        read(write(tmp_path, "No;A\n1;x\n"), delimiter=declared)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_c28_lines_may_end_in_any_way_and_cells_hold_line_breaks(tmp_path: Path, end: str) -> None:
    """C28: a quoted line break is part of the cell; the record after it has the next row number."""
    text = end.join(["No;Tekst", '1;"linje en\r\nlinje ""to"";"', "2;x", "3;y"]) + end
    sheet = read(write(tmp_path, text))

    assert [(row.number, *row.cells) for row in sheet.rows] == [
        (2, "1", 'linje en\r\nlinje "to";'),
        (3, "2", "x"),
        (4, "3", "y"),
    ]


def test_c28_mixed_line_ends_are_line_ends(tmp_path: Path) -> None:
    """C28: a file that was put together from others ends its lines in several ways."""
    assert cells(read(write(tmp_path, "No;A\r\n1;x\n2;y\r3;z"))) == [["1", "x"], ["2", "y"], ["3", "z"]]


def test_c28_quotation_marks_within_a_text_are_text(tmp_path: Path) -> None:
    """C28: inches and nicknames are not quoted cells."""
    assert cells(read(write(tmp_path, 'No;A\n1;Rør 3/4" svart\n2;Ola "Gutten" AS\n'))) == [
        ["1", 'Rør 3/4" svart'],
        ["2", 'Ola "Gutten" AS'],
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('No;A\n1;x\n2;"aldri lukket\n3;y\n', 3),
        ('No;A\n1;"a\nb"\n2;"x"y\n', 4),
        ('sep=;\nNo;A\n1;"x"y\n', 3),
        ('No;A\n1;x\n2;"' + "a" * 200_000 + '"\n', 3),
    ],
)
def test_c29_a_quotation_mark_that_does_not_close_is_told_by_its_line(tmp_path: Path, text: str, line: int) -> None:
    """C29: it would swallow the rest of the file."""
    with pytest.raises(WorkbookError, match=rf"'rader\.csv', line {line}: a quotation mark"):
        read(write(tmp_path, text))


@pytest.mark.parametrize("cell", ["a" * 200_000, '"' + "a" * 200_000 + '"'])
def test_c29_a_cell_that_is_too_long_is_told(tmp_path: Path, cell: str) -> None:
    """C29: the message says so, and does not blame quotation marks alone, of which there may be none."""
    with pytest.raises(WorkbookError, match=r"'rader\.csv', line 2: .* a cell holds more than 131,072 characters"):
        read(write(tmp_path, f"No;A\n1;{cell}\n"))


def test_c29_quotation_marks_behind_a_blank_are_told(tmp_path: Path) -> None:
    """C29: they are part of each text then, which no total shows."""
    sheet = read(write(tmp_path, 'No, Cust, Text\n1, "0101", "a b"\n2, 0102, Ola "Gutten"\n'))

    assert cells(sheet) == [["1", '"0101"', '"a b"'], ["2", "0102", 'Ola "Gutten"']]
    assert [note[:66] for note in sheet.notes] == [
        "2 cells have a blank before the quotation marks, the first in line 2: "[:66]
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('No;Text;Qty\n1;"Skjerm;1\n2;Kabel;2\n3;Skjerm 27";3\n4;Mus;4\n', "line 2: .* ends in line 4"),
        ('No;Text;Qty\n1;x;1\n2;"Skjerm;1\n3;Skjerm 27";3\n', "line 3: .* ends in line 4"),
        ('No;Text;Qty\n1;"a\nb";1\n2;"Skjerm;1\n\n3;;\n4;Skjerm 27";3\n', "line 4: .* ends in line 7"),
        ('No,Text,Note,Qty\r\n1,"Skjerm,"x, y",1\r\n2,Rør 3/4",,2\r\n', "line 2: a quotation mark"),
        ('No\tText\tQty\r1\t"Skjerm\t1\r2\tSkjerm 27"\t3\r', "line 2: .* ends in line 3"),
        ('No;Text;Qty;\n1;"Skjerm;1\n2;Skjerm 27";3\n', "line 2: .* ends in line 3"),
    ],
)
def test_c29_rows_within_one_cell_are_told_by_their_lines(tmp_path: Path, text: str, lines: str) -> None:
    """C29: two stray quotation marks would make one cell of the rows between them, and nobody would miss the rows."""
    with pytest.raises(WorkbookError, match=rf"'rader\.csv', {lines}"):
        read(write(tmp_path, text))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["", "sep=;\n", '"0";"a\nb";"c"\n'])
def test_c28_a_record_with_every_cell_in_quotation_marks_is_one_row(tmp_path: Path, end: str, first: str) -> None:
    """C28, C29: a program that marks each cell leaves no stray mark, whatever the lines of a text hold."""
    row = '"7";"Storgata 1;Oslo\nTorget 2;Bergen ""B""";"Ola"\n'
    head, before = (first, "") if first.startswith("sep") else ("", first)
    text = f'{head}"No";"Adr";"Name"\n{before}{row}"8";"x";"y"\n'
    sheet = read(write(tmp_path, text.replace("\n", end)))

    assert cells(sheet)[-2:] == [["7", f'Storgata 1;Oslo{end}Torget 2;Bergen "B"', "Ola"], ["8", "x", "y"]]


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ('No;Adr;By\n1;"Storgata 1\r\n0150 Oslo";x\n', 0),
        ('Adr;No;By\n"Storgata 1\r\n0150 Oslo";1;x\n', 0),
        ('No;By;Adr\n1;x;"Storgata 1\r\n0150 Oslo"\n', 0),
        ('No,By,Text\n1,x,"Hei, Kari\ntakk"\n', 0),
        ('Text\n"Hei\ntakk"\n', 0),
        ('No,By,Text\n1,x,"Hei\ntakk for kaffe, te, kake"\n', 1),
        ('No,By,Text\n1,x,"Hei\nder, her, og der, og her\ntakk"\n', 1),
        ('No;Text\n1;"Hei\n2;takk"\n', 1),
    ],
)
def test_c28_a_text_of_several_lines_is_read_with_a_note_where_it_looks_like_rows(
    tmp_path: Path, text: str, notes: int
) -> None:
    """C28, C29: addresses and letters have line breaks; only what holds as many cells as a row is pointed out."""
    sheet = read(write(tmp_path, text))

    assert len(sheet.rows) == 1
    assert [note.startswith("Lines 2 to ") for note in sheet.notes] == [True] * notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No;A;B\n1;x;y\n2;x;y;\n", r"line 3: 4 cells, but the header has 3 \(delimiter: semicolon\)"),
        ("No;A;B\n1;x;y\n2;;x;y\n3;;x;y\n", "line 3: 4 cells.* So it is in 2 lines"),
        ("No;A;B\n1;x;y\n2;x\n", "line 3: 2 cells, but the header has 3"),
        ("No;A;B\n1;x;y\nSum: 100\n", "line 3: 1 cell, but"),
        ('No;A;B\n1;"x\ny";z\n2;x\n', "line 4: 2 cells"),
        ("No,Pris,Merknad\nF1,1,50,\nF2,2,60,\n", r"line 2: 4 cells, but the header has 3 \(delimiter: comma\)"),
        ("Rapport\nNo;A\n1;x\n", "line 2: 2 cells, but the header has 1"),
        ("No;A;B;\n1;x;y\n2;x;y;\n", "line 2: 3 cells, but the header has 4"),
    ],
)
def test_c29_a_line_that_is_too_long_or_too_short_is_told(tmp_path: Path, text: str, words: str) -> None:
    """C29: one delimiter too many shifts all cells behind it, so that the file is refused by the line."""
    with pytest.raises(WorkbookError, match=words):
        read(write(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    ["No;A\n1;x\n\n;\n2;y\n;;;\n\n", "No;A;\n1;x;\n\n\n2;y;\n", "No;A;;\n1;x\n\n\n2;y\n"],
    ids=["blank lines", "each line ends with a delimiter", "only the header does"],
)
def test_c30_blank_lines_and_blank_columns_at_the_end_are_nothing(tmp_path: Path, text: str) -> None:
    """C29, C30: what holds nothing shifts nothing; the rows keep their numbers."""
    sheet = read(write(tmp_path, text))

    assert sheet.headers == ("No", "A")
    assert [(row.number, *row.cells[:2]) for row in sheet.rows if not row.blank] == [(2, "1", "x"), (5, "2", "y")]


def test_c30_titles_above_the_header_are_passed_over(tmp_path: Path) -> None:
    """C30: the declared row holds the headers, counted in records as Excel shows them."""
    file = write(tmp_path, '"Rapport\nover to linjer"\n\nNo;A\n1;x\n')
    sheet = read(file, header_row=3)

    assert (sheet.headers, [(row.number, row.cells) for row in sheet.rows]) == (("No", "A"), [(4, ("1", "x"))])
    with pytest.raises(WorkbookError, match=r"Row 2 .* holds no headers"):
        read(file, header_row=2)
    with pytest.raises(WorkbookError, match=r"Row 9 .* holds no headers"):
        read(file, header_row=9)


# -- cells -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0101", "0101"),
        ("1,23E+15", "1,23E+15"),
        ("2025-01-27", "2025-01-27"),
        ("TRUE", "TRUE"),
        (" \u00a0x\u200b ", "x"),
        ("\u00a0", None),
        ('="0101"', "0101"),
        ('"=""0101"""', "0101"),
        ("=1+1", "=1+1"),
        ("#N/A", "error_cell"),
        ("#I/T", "error_cell"),
        ("#VÄRDEFEL!", "error_cell"),
        ("########", "error_cell"),
        ("#", "#"),
        ("# 12", "# 12"),
    ],
)
def test_c2_every_cell_is_the_text_that_stands_there(tmp_path: Path, cell: str, value: Any) -> None:
    """C2, C4, C17: nothing is taken for a number, a date or a formula; what Excel writes for errors is one."""
    assert cells(read(write(tmp_path, f"No;A\n1;{cell}\n2;x\n")))[0][1:] == [value]


def test_a_text_written_as_a_formula_is_told(tmp_path: Path) -> None:
    """Systems write ="0101" so that Excel keeps the zeros: it is read as the text, and the user is told."""
    assert '2 cells are written as ="..."' in read(write(tmp_path, 'No;A\n="1";="0101"\n')).notes[0]


@pytest.mark.parametrize("name", ["rader.csv", "rader.CSV", "rader.tsv", "rader.txt"])
def test_a_text_file_is_read_by_these_names(tmp_path: Path, name: str) -> None:
    """The name must say that it is a table in text; the sheet is called as the file, as Excel calls it."""
    sheet = read(write(tmp_path, NAMES, name))

    assert (sheet.name, cells(sheet)) == ("rader", ROWS)


@pytest.mark.parametrize("header", ["PK", "PKnr", "P"])
def test_a_text_file_that_begins_like_a_zip_file_is_text(tmp_path: Path, header: str) -> None:
    """The letters PK are how a zip file begins, and a primary key too."""
    sheet = read(write(tmp_path, f"{header};Navn\n0101;Blåbær\n"))

    assert (sheet.headers, cells(sheet)) == ((header, "Navn"), [["0101", "Blåbær"]])


@pytest.mark.parametrize("name", ["rader.xlsx", "rader.xls", "rader.dat", "rader"])
def test_a_text_file_under_another_name_is_told(tmp_path: Path, name: str) -> None:
    """A text that calls itself a workbook is refused with the advice how to have it read."""
    with pytest.raises(WorkbookError, match=r"whatever its name says: it holds plain text\. Let its name end in \.csv"):
        read(write(tmp_path, NAMES, name))


def test_the_sheet_of_a_text_file_is_the_declared_one(tmp_path: Path) -> None:
    """A text file has one sheet; it bears the name that the mapping uses for the workbook."""
    assert read(write(tmp_path, NAMES), sheet="Fakturaer").name == "Fakturaer"


def test_a_text_file_without_a_known_header_row_is_opened_all_the_same(tmp_path: Path) -> None:
    """Whoever looks for the header row gets every record as it stands, by the delimiter most lines agree on."""
    with open_book(write(tmp_path, "Rapport, januar\n\nNo;A;B\n1;x;y\n2;x;y\nSum;3\n")) as book:
        rows = {number: [cell for cell, _form in found] for number, found in book.table(book.titles[0].text).rows}

    assert rows == {
        1: ["Rapport, januar"],
        3: ["No", "A", "B"],
        4: ["1", "x", "y"],
        5: ["2", "x", "y"],
        6: ["Sum", "3"],
    }


def test_a_long_text_file_is_read_whole(tmp_path: Path) -> None:
    """Beyond the lines that tell the delimiter every line is counted too."""
    lines = [f"{number};{number},50" for number in range(30_000)]
    sheet = read(write(tmp_path, "\n".join(["No;Pris", *lines])))

    assert (len(sheet.rows), sheet.rows[-1].cells) == (30_000, ("29999", "29999,50"))
    with pytest.raises(WorkbookError, match="line 30002: 3 cells"):
        read(write(tmp_path, "\n".join(["No;Pris", *lines, "1;2;3"])))


def test_more_lines_than_a_sheet_has_rows_are_refused(tmp_path: Path) -> None:
    """A file that no report could show is to be split."""
    with pytest.raises(WorkbookError, match="row 1,048,577, but no sheet has more than 1,048,576"):
        read(write(tmp_path, b"No\n" + b"1\n" * 1_048_576))


def test_amounts_of_a_text_file_are_read_by_the_locale(tmp_path: Path) -> None:
    """C5: the amounts are texts until the mapping's locale says what they mean."""
    from importer.mapping import parameter_values
    from importer.mapping_file import read_mapping
    from importer.plan import make_plan

    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "version: 1\nendpoint: customer.create\nkey: No\nworkbook: {locale: nb-NO, delimiter: ;, encoding: cp1252}\n"
        "fields: {name: Navn}\ntotals: [{name: Sum, sum: Beløp}]\n",
        encoding="utf-8",
    )
    parsed = read_mapping(mapping)
    spec = parsed.workbook
    sheet = read(write(tmp_path, NAMES, encoding="cp1252"), encoding=spec.encoding, delimiter=spec.delimiter)
    plan = make_plan(parsed, sheet, parameter_values(parsed, {}))

    assert (spec.encoding, spec.delimiter) == ("cp1252", ";")
    assert [total.sum for total in plan.totals] == [Decimal("4.10")]
