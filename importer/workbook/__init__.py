"""Read one sheet of a workbook into rows of exact values. Never opens a socket, never writes.

sheet      one sheet as the rest of the program knows it, made of a table that any reader gives
reading    tells what kind of file it is, opens it with the reader for that, and takes the sheet that is meant
xlsx       .xlsx and .xlsm
files      the file itself: its hash, and what is said where it cannot be opened
mark       how a report of this program is known when it is given to `run` again
"""

from importer.workbook.files import sha256
from importer.workbook.mark import REPORT_MARK, ReportMark, report_mark
from importer.workbook.reading import read
from importer.workbook.sheet import Sheet
from importer.workbook.xlsx import UNREADABLE, opened

__all__ = ["REPORT_MARK", "UNREADABLE", "ReportMark", "Sheet", "opened", "read", "report_mark", "sha256"]
