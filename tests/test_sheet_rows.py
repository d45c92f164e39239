"""Rows of a sheet are what their cells are, one by one, however many rows are alike."""

import re
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sheet_xml import SHEET, rewrite

from importer.model import Fault, Row
from importer.workbook import Table, make_sheet, open_xlsx

FAULT = Fault("error_cell", "#N/A", "")
VALUES = (None, "text", Decimal("1.5"), True, date(2025, 1, 27), time(10, 30), FAULT)
FORMS = (None, "", "General", "0.00", "[$-409]General", "[$-409]dd.mm.yyyy")
CELLS = st.tuples(st.sampled_from(VALUES), st.sampled_from(FORMS))


def row_of(number: int, cells: list[Any], headers: tuple[str | None, ...], hidden: set[int]) -> Row:
    """Return a row made cell by cell."""
    kept = [cell if header is not None else (None, None) for cell, header in zip(cells, headers, strict=False)]
    formats = {}
    for spot, (value, form) in enumerate(kept):
        plain = re.sub(r"^\[\$-[0-9A-Fa-f]{1,4}\]", "", form or "General")
        if isinstance(value, Decimal | date | time) and plain != "General":
            formats[spot] = plain
    return Row(number=number, cells=tuple(value for value, _form in kept), formats=formats, hidden=number in hidden)


@given(
    rows=st.lists(st.lists(CELLS, max_size=4), max_size=5),
    names=st.lists(st.sampled_from(["A", "B", None, " "]), min_size=1, max_size=4).filter(lambda names: "A" in names),
    repeated=st.integers(1, 3),
    hidden=st.sets(st.integers(1, 9)),
)
def test_each_row_is_what_its_cells_are(
    rows: list[list[Any]], names: list[str | None], repeated: int, hidden: set[int]
) -> None:
    """Columns without a header are left out, and only numbers and dates have a format."""
    header = [(name, None) for name in names]
    cells = [header, *rows * repeated]
    sheet = make_sheet(Path("rows.xlsx"), Table(title="Rows", rows=list(enumerate(cells, start=1)), hidden=hidden), 1)
    wanted = [row_of(number, row, sheet.headers, hidden) for number, row in enumerate(rows * repeated, start=2)]
    while wanted and wanted[-1].blank:
        wanted.pop()
    blank = (None,) * len(sheet.headers)
    wanted = [Row(number=row.number, cells=blank, hidden=row.hidden) if row.blank else row for row in wanted]

    assert sheet.rows == tuple(wanted)


@pytest.mark.parametrize("xml", ["<v>12345678901234567890</v>", "<f>A1</f><v>1</v>"], ids=["long number", "formula"])
@pytest.mark.parametrize("before", range(-24, 8, 3))
def test_a_sheet_is_certain_only_where_no_piece_of_it_is_not(make_workbook: Any, xml: str, before: int) -> None:
    """A long number or a formula is seen also where one piece that is read ends in its middle."""
    file = make_workbook([["No"], ["1"]])

    def fill(text: str) -> str:
        start, end = text.split("</sheetData>")
        filled = "x" * ((1 << 20) + before - len(start.encode()) - len("<!----><row><c>"))
        return f"{start}<!--{filled}--><row><c>{xml}</c></row></sheetData>{end}"

    with open_xlsx(file, file.name) as book:
        assert book.certain("Rows")
    with open_xlsx(rewrite(file, SHEET, fill), file.name) as book:
        assert not book.certain("Rows")
