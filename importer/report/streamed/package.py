"""Save a workbook that openpyxl holds without the rows of its large sheets, and put these in."""

import re
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Dictionary
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from openpyxl.styles.stylesheet import write_stylesheet
from openpyxl.utils import get_column_letter
from openpyxl.xml.constants import ARC_CONTENT_TYPES, ARC_SHARED_STRINGS, ARC_STYLE, ARC_WORKBOOK_RELS, REL_NS
from openpyxl.xml.constants import SHARED_STRINGS as TEXTS_TYPE
from openpyxl.xml.functions import tostring

from importer.report.cells import save as save_book
from importer.report.streamed.reader import Streamed
from importer.report.streamed.row_pattern import NotUnderstood
from importer.report.streamed.rows import Rows
from importer.report.streamed.sheet_part import CHUNK, chunks, values
from importer.workbook import opened_archive, transitional
from importer.workbook.xlsx import calculates_on_load

#: Three times as fast as what zlib does by itself, and a fifth larger.
_LEVEL: Final = 1
#: As many pieces wait to be packed.
_WAITING: Final = 4
#: A part that may get larger than the archive's plain form holds, in bytes.
_LARGE: Final = 1 << 30
_ROW: Final = re.compile(rb'<row r="([0-9]+)"')
_DIMENSION: Final = re.compile(rb'(<dimension ref=)"[A-Z0-9:]+"')
_SHEET_DATA: Final = re.compile(rb"<sheetData ?/>|<sheetData>(.*)</sheetData>", re.DOTALL)
_LINKS: Final = {
    ARC_CONTENT_TYPES: (b"</Types>", f'<Override PartName="/{ARC_SHARED_STRINGS}" ContentType="{TEXTS_TYPE}"/>'),
    ARC_WORKBOOK_RELS: (
        b"</Relationships>",
        f'<Relationship Id="sharedTexts" Target="sharedStrings.xml" Type="{REL_NS}/sharedStrings"/>',
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Hold the rows of a sheet that openpyxl does not hold."""

    #: the last row that it does
    keep: int
    last_row: int
    last_column: int
    #: the rows as XML, read once, and about how many bytes they are
    pieces: Iterable[bytes]
    size: int


def save(book: Any, target: Path, file: Path, streamed: Streamed, rows: Dictionary[str, Rows], *, name: str) -> None:
    """Save a workbook with the rows that were left out of it when it was loaded from a file, by the title of the sheet.

    `name` is what messages call the file.

    Raises: NotUnderstood, Again, WorkbookError, or OSError.
    """
    with _opened(file, name) as source:
        rests = {title: _passed(source, title, streamed, rows[title]) for title in streamed.sheets}
        put_together(book, target, rests, source, streamed.texts)


def put_together(
    book: Any,
    target: Path,
    rests: Dictionary[str, Rest],
    source: zipfile.ZipFile | None = None,
    texts: str | None = None,
) -> None:
    """Save a workbook with the rest of some sheets, by title, and the `texts` that they share in a `source`, if any.

    Raises: what reading the rests raises, NotUnderstood, or OSError.
    """
    held = BytesIO()
    save_book(book, held, zipfile.ZIP_STORED)
    paths = {book[title].path[1:]: title for title in rests}
    with (
        zipfile.ZipFile(held) as saved,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
    ):
        if ARC_SHARED_STRINGS in saved.namelist():
            raise NotUnderstood("texts are shared that are not the user's")
        for name in saved.namelist():
            if name in paths:
                rest = rests[paths[name]]
                _write(archive, name, _sheet(saved.read(name), rest), large=rest.size > _LARGE)
            elif name != ARC_STYLE:
                archive.writestr(name, _linked(name, saved.read(name)) if texts else saved.read(name))
        if source is not None and texts:
            size = source.getinfo(texts).file_size
            _write(archive, ARC_SHARED_STRINGS, _read(source, texts), large=size > _LARGE)
        # last, since rows make styles of their own
        archive.writestr(ARC_STYLE, tostring(write_stylesheet(book)))


def _passed(source: zipfile.ZipFile, title: str, streamed: Streamed, rows: Rows) -> Rest:
    """Return the rows of a sheet that are passed on."""
    part, path = streamed.sheets[title], streamed.paths[title]

    def pieces() -> Iterator[bytes]:
        with source.open(path) as opened:
            typed = partial(values, zeros_doubtful=calculates_on_load(source))
            yield from rows.passed(chunks(opened, part), typed)

    return Rest(
        keep=part.keep,
        last_row=rows.last_row,
        last_column=rows.last_column,
        pieces=pieces(),
        size=source.getinfo(path).file_size,
    )


@contextmanager
def _opened(file: Path, name: str) -> Iterator[zipfile.ZipFile]:
    with opened_archive(file, name) as archive, zipfile.ZipFile(transitional(archive)) as source:
        yield source


def _linked(name: str, data: bytes) -> bytes:
    """Return a part that lists the others with the shared texts among them."""
    if name not in _LINKS:
        return data
    end, link = _LINKS[name]
    return data.replace(end, link.encode() + end)


def _read(source: zipfile.ZipFile, path: str) -> Iterator[bytes]:
    with source.open(path) as part:
        while data := part.read(CHUNK):
            yield data


def _sheet(saved: bytes, rest: Rest) -> Iterator[bytes]:
    """Yield a sheet: what openpyxl holds of it, and between that the rows that it does not."""
    found = _SHEET_DATA.search(saved)
    if found is None:
        raise NotUnderstood("openpyxl writes sheets in another form")
    kept = found[1] or b""
    later = next((row.start() for row in _ROW.finditer(kept) if int(row[1]) > rest.keep), len(kept))
    area = f"A1:{get_column_letter(rest.last_column)}{rest.last_row}"
    yield _DIMENSION.sub(rb'\1"%b"' % area.encode(), saved[: found.start()], count=1)
    # cells of later rows are there for their comments and links alone
    yield b"<sheetData>" + kept[:later]
    yield from rest.pieces
    yield b"</sheetData>" + saved[found.end() :]


def _write(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes], *, large: bool) -> None:
    """Pack pieces in a thread of its own, while the next are made: zlib does not hold the interpreter."""
    waiting: deque[Future[int]] = deque()
    with archive.open(name, "w", force_zip64=large) as part, ThreadPoolExecutor(1) as pool:
        for piece in pieces:
            waiting.append(pool.submit(part.write, piece))
            if len(waiting) > _WAITING:
                waiting.popleft().result()
        for left in waiting:
            left.result()
