"""Read one sheet of a workbook into rows of exact values. Never opens a socket, never writes.

sheet      one sheet as the rest of the program knows it, made of a table that any reader gives
reading    opens a file with the reader for its kind, and takes the sheet that is meant
kinds      tells by its content what kind of file a workbook is
xlsx       .xlsx and .xlsm; strict turns the one form of them that openpyxl does not know into the other, xlsx_open has
           openpyxl open them, xlsx_quick reads rows and xlsx_texts shared texts as programs mostly write them (by
           xlsx_shape, xlsx_forms and xlsx_parts), xlsx_walk reads rows however they are written
xlsb, xls  the binary formats of Excel
ods        workbooks of LibreOffice: ods_cells reads their values, ods_styles their number formats
delimited  .csv and other text files: layout and encoding say how they are meant, or how they were found to be
serial     numbers that are dates by their format, and cells that show errors
mojibake   texts that were spoilt before they came here
archive    files that are damaged, or larger than they look
files      the file itself: its hash, and what is said where it cannot be opened
mark       how a report of this program is known when it is given to `run` again
"""

from importer.workbook.archive import UNREADABLE, opened_archive, reason
from importer.workbook.files import sha256
from importer.workbook.kinds import Kind, kind_of
from importer.workbook.layout import TextLayout, kept_layout, layout_file
from importer.workbook.mark import REPORT_MARK, ReportMark, report_mark
from importer.workbook.reading import choose, open_book, read
from importer.workbook.sheet import LAST_ROW, Book, Cell, Sheet, Table, make_sheet
from importer.workbook.strict import transitional
from importer.workbook.xlsx import XlsxBook
from importer.workbook.xlsx import open_book as open_xlsx

__all__ = [
    "LAST_ROW",
    "REPORT_MARK",
    "UNREADABLE",
    "Book",
    "Cell",
    "Kind",
    "ReportMark",
    "Sheet",
    "Table",
    "TextLayout",
    "XlsxBook",
    "choose",
    "kept_layout",
    "kind_of",
    "layout_file",
    "make_sheet",
    "open_book",
    "open_xlsx",
    "opened_archive",
    "read",
    "reason",
    "report_mark",
    "sha256",
    "transitional",
]
