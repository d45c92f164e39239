"""Write table.json, a sheet of hard cases and files under a password with LibreOffice, through its own interface.

soffice --headless --accept="socket,host=localhost,port=2002;urp;" --norestore &
python3 libreoffice_file.py FOLDER          (the Python that has the module uno)
"""

import json
import sys
from pathlib import Path

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.lang import Locale
from com.sun.star.sheet import TableFilterField
from com.sun.star.sheet.FilterOperator import NOT_EQUAL

here = Path(__file__).parent
table = json.loads((here / "table.json").read_text(encoding="utf-8"))
local = uno.getComponentContext()
resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
context = resolver.resolve("uno:socket,host=localhost,port=2002;urp;StarOffice.ComponentContext")
desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
FILTERS = {"ods": "calc8", "xls": "MS Excel 97", "xlsx": "Calc MS Excel 2007 XML"}


def properties(**values):
    return tuple(PropertyValue(Name=name, Value=value) for name, value in values.items())


def new(title):
    document = desktop.loadComponentFromURL("private:factory/scalc", "_blank", 0, properties(Hidden=True))
    document.Sheets.getByIndex(0).Name = title
    return document, document.Sheets.getByIndex(0)


def give(document, cell, code):
    keys, language = document.NumberFormats, Locale("en", "US", "")
    key = keys.queryKey(code, language, False)
    cell.NumberFormat = key if key >= 0 else keys.addNew(code, language)


def put(document, cell, content, code):
    if isinstance(content, str):
        give(document, cell, "@")
        cell.String = content
        return
    if isinstance(content, dict) and "bool" in content:
        cell.Value = int(content["bool"])
        give(document, cell, "BOOLEAN")
    elif isinstance(content, dict) and "formula" in content:
        cell.Formula = "=" + content["formula"]
    elif isinstance(content, dict):
        cell.Value = content["date"]
    elif content is not None:
        cell.Value = content
    if code and content is not None and not (isinstance(content, dict) and "bool" in content):
        give(document, cell, code)


def save(document, name, ending, **more):
    target = (Path(sys.argv[1]).resolve() / f"{name}.{ending}").as_uri()
    document.storeToURL(target, properties(FilterName=FILTERS[ending], **more))


document, sheet = new(table["sheet"])
for row, cells in enumerate([table["headers"], *table["rows"]]):
    for column, content in enumerate(cells):
        put(document, sheet.getCellByPosition(column, row), content, table["formats"].get(table["headers"][column]))
for ending in FILTERS:
    save(document, "libreoffice", ending)
save(document, "password", "ods", Password="hemmelig")
document.close(True)

# hidden, filtered and merged rows, texts with tabs and lines, a comment, numbers of other kinds, a hidden sheet
document, sheet = new("Rader")
for column, header in enumerate(("No", "Tekst", "Verdi")):
    sheet.getCellByPosition(column, 0).String = header
texts = ["to  ord   her", "tab\there", "linje\nto\n\nfire", "", "kommentar", "skjult", "filtrert", "flettet", ""]
texts.append("siste")
values = [
    (0.25, "0.00%"),
    (1234.5, "#,##0.00 [$NOK]"),
    (0.4375, "hh:mm"),
    (1.25, "[h]:mm"),
    (45684.5, "dd.mm.yyyy"),
    (42, "00000"),
    (7, "General"),
    (1e16, "0"),
    (-3.5, "0.00;[RED]-0.00"),
    (45684, "yyyy-mm-dd"),
]
for row, (text, (value, code)) in enumerate(zip(texts, values, strict=True), start=1):
    sheet.getCellByPosition(0, row).String = f"{row:03}"
    sheet.getCellByPosition(1, row).String = text
    sheet.getCellByPosition(2, row).Value = value
    give(document, sheet.getCellByPosition(2, row), code)
sheet.Annotations.insertNew(sheet.getCellByPosition(1, 5).CellAddress, "en kommentar ved cellen")
field = TableFilterField(Field=0, IsNumeric=False, StringValue="007", Operator=NOT_EQUAL)
rows = sheet.getCellRangeByName("A1:C11")
criteria = rows.createFilterDescriptor(True)
criteria.ContainsHeader = True
criteria.setFilterFields((field,))
rows.filter(criteria)
sheet.Rows.getByIndex(6).IsVisible = False
sheet.getCellRangeByName("B9:B10").merge(True)
for row in range(12, 15):
    # three equal rows are written once, with the number of times they stand there
    for column, content in enumerate(("gjentatt", "x")):
        sheet.getCellByPosition(column, row).String = content
    sheet.getCellByPosition(2, row).Value = 1
document.Sheets.insertNewByName("Skjult", 1)
document.Sheets.getByName("Skjult").getCellByPosition(0, 0).String = "No"
document.Sheets.getByName("Skjult").IsVisible = False
for ending in ("ods", "xls"):
    save(document, "libreoffice-hard", ending)
document.close(True)
