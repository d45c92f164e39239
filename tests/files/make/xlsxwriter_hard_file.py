"""Write formulas that nobody calculated with XlsxWriter: python xlsxwriter_hard_file.py FOLDER."""

import sys
from pathlib import Path

import xlsxwriter

book = xlsxwriter.Workbook(Path(sys.argv[1]) / "xlsxwriter-hard.xlsx")
sheet = book.add_worksheet("Rader")
day = book.add_format({"num_format": "dd.mm.yyyy"})
for column, header in enumerate(("Nr", "Sum", "Dato", "Liste", "Null")):
    sheet.write_string(0, column, header)
for row in (1, 2):
    sheet.write_string(row, 0, f"000{row}")
    sheet.write_formula(row, 1, "=2*21")
    sheet.write_formula(row, 2, "=DATE(2025,1,27)", day)
    sheet.write_number(row, 4, 0)
sheet.write_array_formula("D2:D3", "{=LEN(A2:A3)}")
book.close()
