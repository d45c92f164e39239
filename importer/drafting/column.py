"""Tell what a column of the sheet holds: numbers, dates, texts, counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import cached_property

from importer.model import CellValue, Fault, Row
from importer.values import shown
from importer.workbook import Sheet


@dataclass(frozen=True)
class Column:
    """Hold the cells of one column that hold anything, each with its row."""

    header: str
    spot: int
    cells: tuple[tuple[Row, CellValue], ...]
    #: how many rows there are
    rows: int

    @cached_property
    def texts(self) -> list[str]:
        """Return the text cells."""
        return [cell for _, cell in self.cells if isinstance(cell, str)]

    @cached_property
    def numbers(self) -> list[Decimal]:
        """Return the number cells."""
        return [cell for _, cell in self.cells if isinstance(cell, Decimal)]

    @cached_property
    def dates(self) -> int:
        """Count the real date cells."""
        return sum(isinstance(cell, date) for _, cell in self.cells)

    @cached_property
    def booleans(self) -> int:
        """Count the cells that hold TRUE or FALSE."""
        return sum(isinstance(cell, bool) for _, cell in self.cells)

    @cached_property
    def faults(self) -> list[Fault]:
        """Return the cells that cannot be read, such as #N/A."""
        return [cell for _, cell in self.cells if isinstance(cell, Fault)]

    @cached_property
    def distinct(self) -> Counter[str]:
        """Count each value as it is shown, the first seen first."""
        return Counter(shown(cell) for _, cell in self.cells)

    @property
    def blanks(self) -> int:
        """Count the rows that have nothing here."""
        return self.rows - len(self.cells)

    def at(self, row: Row) -> CellValue:
        """Return the cell of a row."""
        return row.cells[self.spot] if self.spot < len(row.cells) else None

    @property
    def digits_only(self) -> bool:
        """Tell whether every cell is a whole number or a text with a digit and no space in it."""
        return bool(self.cells) and all(
            (isinstance(cell, Decimal) and cell == cell.to_integral_value())
            or (isinstance(cell, str) and any(map(str.isdigit, cell)) and not any(map(str.isspace, cell)))
            for _, cell in self.cells
        )

    def kinds(self) -> str:
        """Say what kinds of cells there are: `42 texts, 3 numbers, 15 blanks`."""
        times = sum(isinstance(cell, time) for _, cell in self.cells)
        found = {
            "text": len(self.texts),
            "number": len(self.numbers),
            "real Excel date": self.dates,
            "TRUE or FALSE cell": self.booleans,
            "time": times,
            "error cell": len(self.faults),
            "blank": self.blanks,
        }
        parts = [counted(count, kind) for kind, count in found.items() if count]
        return ", ".join(parts) or "no row has anything here"


def columns_of(sheet: Sheet, rows: Sequence[Row]) -> list[Column]:
    """Return the columns that can be named, in the sheet's order, over these rows."""
    return [
        Column(
            header=header,
            spot=spot,
            cells=tuple(
                (row, row.cells[spot]) for row in rows if spot < len(row.cells) and row.cells[spot] is not None
            ),
            rows=len(rows),
        )
        for header, spot in sheet.columns.items()
    ]


def counted(count: int, word: str) -> str:
    """Write a count with its word: `1 text`, `42 texts`."""
    return f"{count} {word}{'' if count == 1 else 's'}"
