"""Tell how rows form documents by a column: how many, whether they stand together, and where they disagree."""

from collections.abc import Sequence
from typing import Final

from importer.drafting.column import Column
from importer.model import Row
from importer.values import shown

_MOST: Final = 0.8


class Groups:
    """Hold the rows of each value of a key column."""

    def __init__(self, key: Column, rows: Sequence[Row]) -> None:
        self._key = key
        self._rows = rows
        self.groups: dict[str, list[Row]] = {}
        for row, cell in key.cells:
            self.groups.setdefault(shown(cell), []).append(row)

    def doubt(self, *, lines: bool) -> str:
        """Say why the column is rather not the documents' number; empty where it may be."""
        filled, all_rows = len(self._key.cells), len(self._rows)
        if filled < _MOST * all_rows:
            return f"doubtful: {all_rows - filled} of {all_rows} rows have none"
        if not lines and len(self.groups) < _MOST * filled:
            return f"doubtful: a document is one row here, and there are {len(self.groups)} different in {filled} rows"
        if lines and filled > 1 and len(self.groups) == 1:
            return f"doubtful: all {filled} rows have the same"
        return ""

    def told(self) -> str:
        """Say how many documents there are, and how their rows stand."""
        filled = len(self._key.cells)
        if len(self.groups) == filled:
            return f"{filled} rows, each with its own"
        apart = sum(not self._together(rows) for rows in self.groups.values())
        stand = f"the rows of {apart} do not stand together" if apart else "the rows of each stand together"
        return f"{len(self.groups)} different ones in {filled} rows, {stand}"

    def _together(self, rows: Sequence[Row]) -> bool:
        return rows[-1].number - rows[0].number == len(rows) - 1

    def differs(self, column: Column, *, strictly: bool) -> str:
        """Say where rows of one document hold different values; empty where they never do.

        Unless `strictly`, also where that is so in less than half of the documents: mistakes, which `check` tells.
        """
        several = [rows for rows in self.groups.values() if len(rows) > 1]
        apart = [rows for rows in several if len({shown(column.at(row)) for row in rows}) > 1]
        if len(apart) <= (0 if strictly else max(1, len(several) / 2)):
            return ""
        first, rows = apart[0][0], apart[0]
        other = next(row for row in rows if shown(column.at(row)) != shown(column.at(first)))
        return f"rows {first.number} and {other.number} of one document differ"
