"""Put an .xlsx workbook under a password with msoffcrypto-tool: python password_file.py FOLDER."""

import sys
from pathlib import Path

from msoffcrypto.format.ooxml import OOXMLFile

folder = Path(sys.argv[1])
with (folder / "xlsxwriter.xlsx").open("rb") as plain, (folder / "password.xlsx").open("wb") as locked:
    OOXMLFile(plain).encrypt("hemmelig", locked)
