"""Turn a strict OOXML workbook into the transitional form, the only one that openpyxl knows.

Excel writes it as "Strict Open XML Spreadsheet"; it differs by the names of its namespaces and relationships.
"""

import io
import re
import zipfile
from typing import IO, Final

_STRICT: Final = b"http://purl.oclc.org/ooxml/"
_NAMES: Final = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/((?:relationships/)?)(\w+)")
_RENAMED: Final = {b"extendedProperties": b"extended-properties", b"customProperties": b"custom-properties"}
_PARTS: Final = (".xml", ".rels")


def transitional(archive: zipfile.ZipFile) -> IO[bytes]:
    """Return the file of an open workbook, or in place of a strict one a copy in memory that openpyxl reads."""
    links = "_rels/.rels"
    if archive.fp is not None and (links not in archive.namelist() or _STRICT not in archive.read(links)):
        archive.fp.seek(0)
        return archive.fp
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for member in archive.infolist():
            data = archive.read(member)
            target.writestr(member.filename, _renamed(data) if member.filename.endswith(_PARTS) else data)
    copy.seek(0)
    return copy


def _renamed(data: bytes) -> bytes:
    def name(match: re.Match[bytes]) -> bytes:
        last = _RENAMED.get(match[3], match[3])
        return b"http://schemas.openxmlformats.org/" + match[1] + b"/2006/" + match[2] + last

    return _NAMES.sub(name, data)
