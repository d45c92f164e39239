"""Write table.json with XlsxWriter: python xlsxwriter_file.py FOLDER."""

import json
import sys
from pathlib import Path

import xlsxwriter

table = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))
book = xlsxwriter.Workbook(Path(sys.argv[1]) / "xlsxwriter.xlsx", {"strings_to_formulas": False})
sheet = book.add_worksheet(table["sheet"])
formats = {name: book.add_format({"num_format": text}) for name, text in table["formats"].items()}
for column, header in enumerate(table["headers"]):
    sheet.write_string(0, column, header)
for row, cells in enumerate(table["rows"], start=1):
    for column, cell in enumerate(cells):
        look = formats.get(table["headers"][column])
        if isinstance(cell, dict) and "error" in cell:
            sheet.write_formula(row, column, "=" + cell["formula"], look, cell["error"])
        elif isinstance(cell, dict) and "formula" in cell:
            sheet.write_formula(row, column, "=" + cell["formula"], look, cell["value"])
        elif isinstance(cell, dict) and "bool" in cell:
            sheet.write_boolean(row, column, cell["bool"])
        elif isinstance(cell, dict):
            sheet.write_number(row, column, cell["date"], look)
        elif isinstance(cell, str):
            sheet.write_string(row, column, cell)
        elif cell is not None:
            sheet.write_number(row, column, cell, look)
book.close()
