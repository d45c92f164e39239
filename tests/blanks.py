"""Make empty import workbooks from mappings, and look into them."""

from pathlib import Path
from typing import Any

import openpyxl
from end_to_end import SAMPLES, command

#: with-mistakes declares a total that no other workbook has
NAMES = sorted({mapping.parent.name for mapping in SAMPLES.glob("*/mapping.yaml")} - {"with-mistakes"})
MAPPING = """\
version: 1
name: invoices
endpoint: customerInvoice.create
workbook: {locale: nb-NO}
key: {column: Invoice no, pad: 6}
fields:
  externalReference: {column: Invoice no, pad: 6}
  customerNumber: {column: Customer, pattern: "[0-9]{5}"}
  documentDate: Date
  period: Date
  currencyId: {column: Currency, required: true}
  invoiceText: {template: "{{ row['Text'] }} {{ param.month }}"}
lines:
  description: {column: "=Item, \\"old\\"", required: true}
  quantity: {column: Qty, decimals: 0}
  unitPriceInCurrency: {column: Price, decimals: 2}
  uom: {column: Unit, map: {stk: STK, "=time, h": HOUR}}
  domesticServicesDeductible: Deductible
  itemType: Kind
totals:
  - {name: Sum, sum: Amount}
where: "{{ row['State'] != 'Void' }}"
parameters: {month: {type: text, default: January}}
"""


def make(folder: Path, mapping: str = MAPPING, *options: str) -> Any:
    """Make the workbook of a mapping; return it as openpyxl reads it."""
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    code, _, error = command("workbook", "mapping.yaml", "-o", "blank.xlsx", "--force", *options, cwd=folder)
    assert code == 0, error
    return openpyxl.load_workbook(folder / "blank.xlsx")


def headers(sheet: Any, row: int = 1) -> list[str]:
    return [str(cell.value) for cell in sheet[row] if cell.value is not None]


def column(sheet: Any, header: str, row: int = 1) -> str:
    """Return the letter of a column."""
    return next(str(cell.column_letter) for cell in sheet[row] if cell.value == header)


def validation(sheet: Any, place: str) -> Any:
    """Return the rule that a cell has."""
    (found,) = [rule for rule in sheet.data_validations.dataValidation if place in rule.sqref]
    return found


def every(book: Any) -> list[Any]:
    """Return every cell of every sheet."""
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row]


def choices(book: Any, place: str, sheet: str = "Import") -> list[str]:
    """Return what a cell's drop-down offers."""
    rule = validation(book[sheet], place)
    assert rule.type == "list"
    title, _, area = rule.formula1.rpartition("!")
    return [cell.value for (cell,) in book[title.strip("'")][area.replace("$", "")]]
