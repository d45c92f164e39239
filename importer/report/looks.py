"""Give the report's own cells their looks: those of the row, and what tells the statuses apart."""

from copy import copy
from typing import Any, Final

from openpyxl.styles import Alignment, Font, PatternFill

from importer.model import Status
from importer.report.columns import Columns

#: Soft fills, told apart in grey print by the bold words of what needs somebody's attention.
FILLS: Final = {
    Status.ACCEPTED: "E2EFDA",
    Status.ALREADY_ACCEPTED: "EDF5E7",
    Status.CHANGED: "FFF2CC",
    Status.INVALID: "FCE4D6",
    Status.FILTERED: "EDEDED",
    Status.REJECTED: "F8CBAD",
    Status.NOT_SENT: "DDEBF7",
    Status.UNKNOWN: "FFE08A",
}
URGENT: Final = frozenset({Status.CHANGED, Status.INVALID, Status.REJECTED, Status.NOT_SENT, Status.UNKNOWN})


class Looks:
    """Make one style for each look, shared by all cells that have it."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._styles: dict[tuple[int, int, Status, int], Any] = {}

    def give(self, cell: Any, neighbour: Any, status: Status) -> None:
        """Give one of our cells its style, made of that of the user's last cell in the row."""
        key = (neighbour.style_id, cell.style_id, status, cell.column)
        if key not in self._styles:
            self._style(cell, neighbour, status)
            self._styles[key] = cell._style
        cell._style = copy(self._styles[key])

    def _style(self, cell: Any, neighbour: Any, status: Status) -> None:
        base = neighbour.font
        bold = cell.column == self._columns.status and status in URGENT
        cell.font = Font(name=base.name, sz=base.sz, family=base.family, scheme=base.scheme, b=bold)
        cell.border = copy(neighbour.border)
        cell.alignment = Alignment(
            vertical=neighbour.alignment.vertical, wrap_text=cell.column == self._columns.message
        )
        cell.number_format = "@"
        if cell.column == self._columns.status:
            cell.fill = PatternFill("solid", fgColor=FILLS[status])
