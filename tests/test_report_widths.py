"""Where the user's file is no .xlsx, the columns of results.xlsx are as wide as what they hold."""

import csv
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from report_both_ways import both
from test_reading_report import record_of

from importer.report.widths import Widths
from importer.workbook import Cell, read

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", ["libreoffice.ods", "libreoffice.xls", "sheetjs.xls", "sheetjs.xlsb"])
def test_a_date_fits_into_its_column_whichever_way_the_report_is_written(name: str, tmp_path: Path) -> None:
    """It would be shown as ####, and nobody could read it, on paper least of all."""
    file = tmp_path / name
    file.write_bytes((FILES / name).read_bytes())
    source = read(file)
    for report in both(file, [], record_of(file, source.name)):
        sheet: Any = openpyxl.load_workbook(report)[source.name]
        dates = {
            cell.column_letter: len(f"{cell.value:%d.%m.%Y}")
            for cells in sheet.iter_rows(min_row=2)
            for cell in cells
            if isinstance(cell.value, datetime | date)
        }
        assert dates
        assert all(sheet.column_dimensions[letter].width > wide for letter, wide in dates.items())


def width(*cells: tuple[Any, str | None]) -> float | None:
    """Return the width of a column with some values; None where it is left as it is."""

    def rows() -> Iterator[tuple[int, list[Cell]]]:
        for number, cell in enumerate(cells, start=1):
            yield number, [cell, ("beside", None)]

    sheet: Any = openpyxl.Workbook().active
    widths = Widths()
    assert len(list(widths.seen(rows()))) == len(cells)
    widths.give(sheet)
    return sheet.column_dimensions["A"].width if "A" in sheet.column_dimensions else None


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (date(2025, 1, 27), None, "2025-01-27"),
        (datetime(2025, 1, 27, 13, 37, 11), None, "2025-01-27 13:37:11"),  # noqa: DTZ001 - cells have no time zone
        (date(2025, 9, 24), "[$-414]d. mmmm yyyy;@", "24. september 2025"),
        (date(2025, 9, 24), "dddd d. mmm yyyy", "Wednesday 24. Sep 2025"),
        (Decimal("1234567.8"), "#,##0.00", "1,234,567.80"),
        (Decimal("-1234567.8"), '_-* #,##0.00\\ "kr"_-;-* #,##0.00\\ "kr"_-', "-1,234,567.80 kr"),
        (Decimal("1234567"), "[$EUR-414] #,##0.000", "EUR 1,234,567.000"),
        (Decimal("1234567"), "0.0%", "123456700.0%"),
        (Decimal(42), "0000000000000", "0000000000042"),
        (Decimal("123456789.25"), None, "123456789.25"),
        ("Konsulenthonorar", None, "Konsulenthonorar"),
        ("short\nKonsulenthonorar\nx", None, "Konsulenthonorar"),
    ],
)
def test_a_column_is_wider_than_what_it_shows_and_not_much_wider(value: Any, form: str | None, shown: str) -> None:
    """Whatever form the value has."""
    found = width((value, form), (None, None), ("x", None))
    assert found is not None
    assert len(shown) + 1 < found < len(shown) + 10


def test_a_short_column_keeps_its_width_and_a_long_text_makes_none_huge() -> None:
    """A text that goes on behind the next cell can be read in its own."""
    assert width(("x", None), (time(13, 37), None), (Decimal(1), None), (True, None)) is None
    assert width(("x" * 5_000, None)) == 42
    assert width((Decimal("1E+400"), "0.00")) == 62


def test_a_title_above_the_table_makes_no_column_wide(tmp_path: Path) -> None:
    """It goes over the blank cells beside it."""
    file = tmp_path / "rader.csv"
    with file.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, delimiter=";").writerows(
            [["Fakturagrunnlag for september 2025", ""], ["No", "A"], ["1", "2"]]
        )
    for report in both(file, [], record_of(file, "rader", 2)):
        assert "A" not in openpyxl.load_workbook(report)["rader"].column_dimensions
