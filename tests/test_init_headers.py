"""`init` finds the headers below whatever stands above, and a total at the end."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import Draft
from drafts import DAY, INVOICE, below, init


@pytest.mark.parametrize(
    "above",
    [
        pytest.param([], id="nothing"),
        pytest.param([["Fakturagrunnlag januar 2025"]], id="a title"),
        pytest.param([["Fakturagrunnlag"], [], ["Skrevet ut", DAY, "av", "Åse"], []], id="titles and blank rows"),
        pytest.param([[], [], []], id="blank rows"),
        pytest.param([["Kunde:", "10001", "Dato:", "27.01.2025"], ["Nordlys AS"]], id="words of headers with values"),
        pytest.param([[None, None, "Dokument", None, "Linje"]], id="a row of groups"),
    ],
)
def test_the_header_row_is_found_below_whatever_stands_above(draft: Draft, above: list[list[Any]]) -> None:
    """Titles, blank rows and rows of groups above are passed over, and the draft says which row it is."""
    done = draft(below(*above))

    assert done.data["workbook"].get("header_row", "1") == str(len(above) + 1)
    assert done.data["key"] == "Fakturanr"
    assert done.data["lines"]["quantity"] == "Antall"


def test_known_words_weigh_more_than_a_wide_row_above(draft: Draft) -> None:
    """Few headers are found below a wider row of other texts."""
    above = ["Rapport", "Skrevet av", "Firma", "Side"]
    done = draft([above, ["Kundenr", "Navn"], ["10001", "A"], ["10002", "B"]], "customer.create")

    assert done.data["workbook"]["header_row"] == "2"


def test_a_merged_title_is_no_header_row(draft: Draft) -> None:
    """A title over all columns is one cell."""

    def merge(book: openpyxl.Workbook) -> None:
        book.worksheets[0].merge_cells("A1:E2")

    assert draft(below(["Fakturaer"], []), prepare=merge).data["workbook"]["header_row"] == "3"


def test_the_header_row_can_be_said(draft: Draft) -> None:
    """What is not found, a person says with --header-row."""
    rows = [["a", "b", "c"], ["Foo", "Bar", "Baz"], ["1", "2", "3"]]

    assert draft(rows, INVOICE, "--header-row", "2").data["workbook"]["header_row"] == "2"


def test_a_totals_row_at_the_end_is_left_out(draft: Draft) -> None:
    """The row that says Sum is filtered by its own cell, and so the draft has no problem with it."""
    rows = [*below(), [], ["Sum", None, None, None, 10]]
    done = draft(rows)

    assert done.data["where"] == "{{ row['Fakturanr'] != 'Sum' }}"
    assert "row 7 is a total" in done.line("where:")
    assert "check: no problems, 4 documents ready." in done.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_text_file_is_drafted_like_a_workbook(tmp_path: Path, encoding: str) -> None:
    """Titles, text dates and amounts of a .csv file are read alike; an encoding that is not sure is a question."""
    lines = ["Fakturagrunnlag;;;;", ";;;;", "Fakturanr;Kundenr;Dato;Beskrivelse;Beløp"]
    lines += ["00471;10001;27.01.2025;Kaffe;1 234,50", "00472;10002;28.01.2025;Årsavgift;12,00"]
    (tmp_path / "rows.csv").write_text("\r\n".join(lines), encoding=encoding, newline="")
    done = init(tmp_path / "rows.csv")

    assert done.code == 0, done.stderr
    assert done.data["workbook"]["header_row"] == "3"
    assert done.data["lines"] == {"description": "Beskrivelse", "manualAmountInCurrency": "Beløp"}
    assert ("# encoding: cp1252" in done.text) is (encoding == "cp1252")
    assert "check: no problems, 2 documents ready." in done.stdout


@pytest.mark.parametrize("above", ["", "Rapport, januar;;\n\n"])
def test_decimal_commas_do_not_make_the_comma_a_delimiter(tmp_path: Path, above: str) -> None:
    """C28: the ordinary text file of the North is drafted although its header row is not known yet."""
    lines = above + "Fakturanr;Kundenr;Beløp\n1001;10001;13,50\n1002;10002;14,50\n"
    (tmp_path / "rows.csv").write_text(lines, encoding="utf-8")
    done = init(tmp_path / "rows.csv")

    assert (done.code, done.stderr) == (0, "")
    assert done.data["fields"]["customerNumber"] == "Kundenr"


def test_two_delimiters_that_fit_are_told_with_what_needs_no_mapping(tmp_path: Path) -> None:
    """C28: who has no mapping yet can say it in the file, as Excel reads it."""
    text = "Fakturanr, NO;Kundenr\n1001,1;10001\n"
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    refused = init(tmp_path / "rows.csv")

    assert refused.code == 3
    assert "or in the file by a line sep=; above all others" in refused.stderr
    (tmp_path / "rows.csv").write_text(f"sep=;\n{text}", encoding="utf-8")
    assert init(tmp_path / "rows.csv").data["fields"]["customerNumber"] == "Kundenr"
