"""How a report of this program is known when it is given to `run` again."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

#: Custom document property of a workbook.
REPORT_MARK: Final = "visma-import report"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMark:
    """Say which sheet and columns of a workbook this program's report added."""

    sheet: str
    columns: tuple[str, ...]
    summary: str

    def dump(self) -> str:
        """Write the mark as the text of a document property."""
        return json.dumps({"sheet": self.sheet, "columns": list(self.columns), "summary": self.summary})


def report_mark(book: Any) -> ReportMark | None:
    """Return what a report of this program added to a workbook, or None for anybody else's workbook."""
    for item in book.custom_doc_props.props:
        if item.name == REPORT_MARK:
            with suppress(ValueError, KeyError, TypeError):
                raw = json.loads(str(item.value))
                return ReportMark(sheet=raw["sheet"], columns=tuple(raw["columns"]), summary=raw["summary"])
    return None
