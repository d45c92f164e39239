"""Write what only old .xls files have with xlwt: python xlwt_file.py FOLDER.

Days counted from 1904, a formula that nobody calculated, hidden rows and sheets, merged cells.
"""

import sys
from pathlib import Path

import xlwt

book = xlwt.Workbook()
book.dates_1904 = True
sheet = book.add_sheet("Rader")
day = xlwt.easyxf(num_format_str="dd.mm.yyyy")
for column, header in enumerate(("No", "Dato", "Formel")):
    sheet.write(0, column, header)
for row in range(1, 5):
    sheet.write(row, 0, f"00{row}")
    sheet.write(row, 1, 45000 - 1462, day)
sheet.write(1, 2, xlwt.Formula("1+1"))
sheet.row(2).hidden = True
sheet.write_merge(3, 4, 2, 2, "flettet")
for name, visibility in (("Skjult", 1), ("Dypt skjult", 2)):
    book.add_sheet(name).write(0, 0, "No")
    book.get_sheet(name).visibility = visibility
book.save(Path(sys.argv[1]) / "xlwt-1904.xls")
