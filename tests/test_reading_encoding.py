"""No letter of a text file is lost or changed: its encoding is declared, seen, or found and told."""

import codecs
from pathlib import Path
from typing import Any

import pytest
from test_reading_csv import NAMES, ROWS, cells, write

from importer.errors import WorkbookError
from importer.workbook import TextLayout, read


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (codecs.BOM_UTF8 + NAMES.encode(), "utf-8-sig"),
        (NAMES.encode(), "utf-8"),
        (NAMES.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + NAMES.encode("utf-16-be"), "utf-16"),
        (NAMES.encode("utf-32"), "utf-32"),
    ],
)
def test_c25_a_mark_before_the_first_header_is_no_part_of_it(tmp_path: Path, raw: bytes, encoding: str) -> None:
    """C25: with or without a byte order mark the first column has its name, and nobody needs to be told."""
    sheet = read(write(tmp_path, raw))

    assert sheet.headers == ("No", "Navn", "Beløp")
    assert cells(sheet) == ROWS
    assert sheet.layout == TextLayout(encoding=encoding, delimiter=";")
    assert sheet.notes == ()


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp865"])
def test_c26_an_older_encoding_is_found_by_its_letters_and_told(tmp_path: Path, encoding: str) -> None:
    """C26: no letter is lost or changed, and the guess is shown with words to judge it by and the line to write."""
    sheet = read(write(tmp_path, NAMES, encoding=encoding))

    assert cells(sheet) == ROWS
    assert len(sheet.notes) == 1
    assert f"read as {encoding}" in sheet.notes[0]
    assert "'Kjøpesenter'" in sheet.notes[0]
    assert f"workbook: encoding: {encoding}" in sheet.notes[0]


WORDS = (
    *("Böhmerwald", "Ærø", "ÆRØ", "Åse", "SKÅNE", "Hämeenlinna", "Größe 45", "Café Réunion", "Øvre Årdal"),
    *("50 m² – «god»", "1\u00a0000"),
)


def has(text: str, encoding: str) -> bool:
    """Tell whether an encoding has all letters of a text."""
    return text.encode(encoding, "replace").decode(encoding) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(word, encoding) for word in WORDS for encoding in ("cp1252", "mac_roman", "cp865") if has(word, encoding)],
)
def test_c26_one_word_is_enough_to_find_the_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    """C26: a single name in a file tells Windows from Apple and DOS, and the user is told what was found."""
    sheet = read(write(tmp_path, f"No;Navn\n1;{text}\n", encoding=encoding))

    assert cells(sheet) == [["1", text]]
    assert "workbook: encoding" in sheet.notes[0]


def test_c26_a_declared_encoding_is_believed_and_needs_no_word(tmp_path: Path) -> None:
    """C26: what the mapping declares is taken, without a note."""
    sheet = read(write(tmp_path, NAMES, encoding="cp1252"), encoding="cp1252")

    assert cells(sheet) == ROWS
    assert sheet.notes == ()


@pytest.mark.parametrize(
    ("raw", "declared", "words"),
    [
        (NAMES.encode("cp1252"), "utf-8", r"not utf-8 throughout: line 1 holds the byte 0xF8"),
        (codecs.BOM_UTF8 + NAMES.encode(), "cp1252", "begins with the mark of utf-8, but the mapping says"),
        (NAMES.encode(), "klingon", "'klingon' is no encoding"),
        (NAMES.encode(), "rot13", "'rot13' is no encoding"),
        (b"No;A\n1;\x81\n", "cp1252", "line 2 holds the byte 0x81"),
    ],
)
def test_c26_a_declared_encoding_that_does_not_fit_is_told(
    tmp_path: Path, raw: bytes, declared: str, words: str
) -> None:
    """C26: no letter is replaced; the file or the mapping has to be corrected."""
    with pytest.raises(WorkbookError, match=words):
        read(write(tmp_path, raw), encoding=declared)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (NAMES.encode("utf-16-le"), "encoding: utf-16-le"),
        (NAMES.encode("utf-16-be"), "encoding: utf-16-be"),
        (b"No;A\n1;\x00\n", r"NUL bytes \(the first in line 2\)"),
        ("No;Navn\n1;Łódź Żółć\n".encode("cp1250"), "encoding of 'rader.csv' cannot be told"),
        ("No;Navn\n1;Привет мир\n".encode("cp1251") * 3, "cannot be told|two delimiters"),
        (codecs.BOM_UTF8 + b"No;A\n1;\xff\n", "not utf-8 throughout: line 2"),
    ],
)
def test_c26_bytes_that_are_no_text_of_ours_are_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    """C26: where no reading makes sense none is taken."""
    with pytest.raises(WorkbookError, match=words):
        read(write(tmp_path, raw))


def test_c26_utf_16_without_a_mark_is_read_when_it_is_declared(tmp_path: Path) -> None:
    """C26: the remedy that the message names works."""
    assert cells(read(write(tmp_path, NAMES, encoding="utf-16-le"), encoding="utf-16-le")) == ROWS


@pytest.mark.parametrize(
    ("spoilt", "meant"),
    [
        ("KjÃ¸pesenter Ã…s", "Kjøpesenter Ås"),
        ("BlÃ¥bÃ¦r", "Blåbær"),
        ("50â‚¬", "50€"),
        ("pris\u00c2\u00a0100", "pris\u00a0100"),
        ("Kj√∏pesenter", "Kjøpesenter"),
        ("pris\x965\x80", "pris–5€"),
        ("mer\x85", "mer…"),
        ("\u00c3\x98rje", "Ørje"),
    ],
)
def test_c26_letters_that_were_spoilt_before_are_told(
    tmp_path: Path, make_workbook: Any, spoilt: str, meant: str
) -> None:
    """C26: text that went through a wrong encoding earlier is shown with what it probably was, in each format."""
    for sheet in (
        read(write(tmp_path, f"No;Navn\n1;{spoilt}\n2;Åse\n")),
        read(make_workbook([["No", "Navn"], ["1", spoilt], ["2", "Åse"]])),
    ):
        assert len(sheet.notes) == 1
        assert f"{spoilt!r} (meant: {meant!r}?) in row 2" in sheet.notes[0]


@pytest.mark.parametrize("declared", ["iso-8859-1", "latin-1", "ISO-8859-15"])
@pytest.mark.parametrize("text", ["pris – 5 €", "“x”", "mer…"])
def test_c26_text_of_windows_is_not_read_as_iso_8859(tmp_path: Path, declared: str, text: str) -> None:
    """C26: its dashes and quotation marks would go out as control characters that nobody sees; the advice works."""
    file = write(tmp_path, f"No;Navn\n1;Ås\n2;{text}\n", encoding="cp1252")

    with pytest.raises(WorkbookError, match=rf"'rader\.csv' is not {declared} throughout: line 3 .* encoding: cp1252"):
        read(file, encoding=declared)
    assert cells(read(file, encoding="cp1252")) == [["1", "Ås"], ["2", text]]
    assert cells(read(write(tmp_path, NAMES, encoding=declared), encoding=declared)) == ROWS


@pytest.mark.parametrize("text", ["Ålesund", "JOÃO", "Â", "âne", "√16", "Åse – Ås", "São", "Ã", "Ærlig Ål"])
def test_c26_ordinary_letters_are_no_spoilt_ones(tmp_path: Path, text: str) -> None:
    """C26: names that hold such letters by right are left in peace."""
    assert read(write(tmp_path, f"No;Navn\n1;{text}\n")).notes == ()


def test_c27_letters_of_two_characters_are_one(tmp_path: Path) -> None:
    """C27: what a Mac writes as A and a ring is Å, in headers and in cells."""
    sheet = read(write(tmp_path, "No;A\u030ar\n1;A\u030ase\n"))

    assert sheet.headers == ("No", "År")
    assert cells(sheet) == [["1", "Åse"]]
