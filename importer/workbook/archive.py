"""Open files that may be damaged or hostile: what such a file raises, and how large a packed one may be."""

import errno
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from importer.errors import WorkbookError
from importer.workbook.files import cannot_open

#: What zipfile, zlib, the XML parser and the readers raise on a damaged, encrypted or oddly packed workbook. A
#: RuntimeError is zipfile's word for a password and for a compression it does not know; a refused entity is a
#: ValueError.
UNREADABLE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
CONTENT_TYPES: Final = "[Content_Types].xml"
_MAX_BYTES: Final = 1_500_000_000
_MAX_MEMBERS: Final = 5_000
#: The sheet of a workbook is packed to a tenth or a fiftieth of its size, a bomb to a thousandth.
_MAX_RATIO: Final = 300
_SMALL_BYTES: Final = 100_000_000
_MAX_REASON: Final = 120
#: What goes wrong only where something is written, such as the report that a workbook is copied into.
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)})


@contextmanager
def opened_archive(file: Path, name: str) -> Iterator[zipfile.ZipFile]:
    """Open a packed workbook that unpacks to no more than a workbook does; `name` is what messages call it.

    Raises: WorkbookError where it does not, and for whatever a damaged one raises while it is open.
    """
    with legible(name):
        try:
            archive = zipfile.ZipFile(file)
        except OSError as error:
            raise cannot_open(file, error) from None
        with archive:
            _refuse_bombs(name, archive)
            yield archive


@contextmanager
def legible(name: str) -> Iterator[None]:
    """Turn what a damaged workbook raises into the program's own error.

    Raises: WorkbookError; OSError when something cannot be written meanwhile.
    """
    try:
        yield
    except WorkbookError:
        raise
    except (*UNREADABLE, OSError) as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            raise
        raise damaged(name, error) from error


def reason(error: Exception) -> str:
    """Return in a few words what a library says of a workbook that it cannot read."""
    return str(error).splitlines()[0][:_MAX_REASON] if str(error) else type(error).__name__


def damaged(name: str, error: Exception) -> WorkbookError:
    """Return what to say of a workbook that cannot be read to its end."""
    return WorkbookError(
        f"The workbook {name!r} is damaged or incomplete ({reason(error)}). Open it in Excel, save it again as .xlsx, "
        "and try once more."
    )


def _refuse_bombs(name: str, archive: zipfile.ZipFile) -> None:
    """Refuse an archive that unpacks to more than any workbook does.

    Raises: WorkbookError.
    """
    members = archive.infolist()
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    swollen = size > _SMALL_BYTES and size > packed * _MAX_RATIO
    repeated = len({member.filename for member in members}) != len(members)
    if len(members) > _MAX_MEMBERS or size > _MAX_BYTES or swollen or repeated:
        raise WorkbookError(
            f"{name!r} unpacks to {size:,} bytes in {len(members)} parts; that is no workbook to trust. Copy "
            "the rows into a new workbook and import that."
        )


def links(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return what a part of an OOXML package is linked to: by the link's id, its type and the part it leads to."""
    from defusedxml.ElementTree import fromstring

    folder, _slash, name = part.rpartition("/")
    found: dict[str, tuple[str, str]] = {}
    for link in fromstring(archive.read(f"{folder}/_rels/{name}.rels")):
        path = str(link.get("Target"))
        whole = path.lstrip("/") if path.startswith("/") else f"{folder}/{path}"
        found[str(link.get("Id"))] = (str(link.get("Type")).rpartition("/")[2], re.sub(r"[^/]+/\.\./", "", whole))
    return found
