"""Read a `*.test.yaml`: the cells of its rows, and the documents or problems that must come of them."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from importer import resources
from importer.errors import MappingError
from importer.mapping_tests.naming import mapping_beside
from importer.model import CellValue
from importer.schemacheck import check, load_schema
from importer.values import cell_value, clean, clean_header, exact_text
from importer.yamlfile import FileFault, PlainText, YamlFile, YamlPath, load

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(_DAY.pattern + r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedProblem:
    """Hold what is said of a problem that must be found; None where nothing is said."""

    column: str | None = None
    code: str | None = None
    #: a part of the message
    message: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDocument:
    """Hold what must become of one document: it has a body, or problems, or it is filtered."""

    #: None for rows without a key
    key: str | None
    #: its line in the file, from 1
    line: int
    #: the body as YAML: groups, lists and scalars as they were typed; None where none is expected
    body: dict[str, Any] | None = None
    problems: tuple[ExpectedProblem, ...] = ()
    filtered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold one test: rows, and what must come of them."""

    name: str
    #: where it stands in the file
    place: YamlPath
    line: int
    #: as the command line would give them
    parameters: dict[str, str]
    #: by header
    rows: tuple[dict[str, CellValue], ...]
    documents: tuple[ExpectedDocument, ...]
    #: problems of the sheet as a whole
    problems: tuple[ExpectedProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """Hold one file of tests, checked, and the mapping that it is about."""

    source: YamlFile
    mapping: Path
    cases: tuple[Case, ...]


def read_cases(path: Path) -> CaseFile:
    """Read and check a file of tests.

    Raises: MappingError holding every fault, each with its line quoted.
    """
    file = load(path)
    faults = check(file, load_schema(resources.schemas() / "test.schema.json"))
    faults += [] if faults else _repeated_names(file)
    mapping = None if faults else _mapping(file, faults)
    if mapping is None or faults:
        raise MappingError("\n".join(map(str, faults)), tuple(faults))
    shared = _texts(file.data.get("parameters", {}))
    cases = tuple(_case(file, index, shared) for index in range(len(file.data["tests"])))
    return CaseFile(source=file, mapping=mapping, cases=cases)


def _repeated_names(file: YamlFile) -> list[FileFault]:
    names = [str(test["name"]) for test in file.data["tests"]]
    return [
        file.fault(
            ("tests", index, "name"), f"Another test is called {name!r} already.", hint="Give each its own name."
        )
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def _mapping(file: YamlFile, faults: list[FileFault]) -> Path | None:
    if "mapping" not in file.data:
        beside = mapping_beside(file.path)
        if isinstance(beside, Path):
            return beside
        faults.append(FileFault(file=file.name, message=beside, hint="Say which: mapping: FILE.yaml"))
        return None
    named = file.path.parent / str(file.data["mapping"])
    if not named.is_file():
        message = f"There is no mapping {str(file.data['mapping'])!r}; the name is relative to this file."
        faults.append(file.fault(("mapping",), message))
    return named


def _case(file: YamlFile, index: int, shared: dict[str, str]) -> Case:
    data, place = file.data["tests"][index], ("tests", index)
    expect = enumerate(data["expect"])
    return Case(
        name=str(data["name"]),
        place=place,
        line=_line(file, (*place, "name")),
        parameters={**shared, **_texts(data.get("parameters", {}))},
        rows=tuple({header: cell_of(cell) for header, cell in row.items()} for row in data["rows"]),
        documents=tuple(_document(part, _line(file, (*place, "expect", spot))) for spot, part in expect),
        problems=tuple(map(_problem, data.get("problems", ()))),
    )


def _line(file: YamlFile, place: YamlPath) -> int:
    mark = file.fault(place, "").mark
    return mark.line if mark else 1


def _texts(data: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in data.items()}


def _document(data: dict[str, Any], line: int) -> ExpectedDocument:
    return ExpectedDocument(
        key=clean(data["key"]) or None,
        line=line,
        body=data.get("body"),
        problems=tuple(map(_problem, data.get("problems", ()))),
        filtered="status" in data,
    )


def _problem(data: dict[str, Any]) -> ExpectedProblem:
    return ExpectedProblem(
        column=clean_header(data["column"]) if "column" in data else None,
        code=str(data["code"]) if "code" in data else None,
        message=str(data["message"]) if "message" in data else None,
        row=int(data["row"]) if "row" in data else None,
    )


def number_of(text: str) -> Decimal | None:
    """Return the number that was typed without quotes and in the one way numbers are written, else None."""
    return Decimal(text) if isinstance(text, PlainText) and _NUMBER.fullmatch(text) else None


def cell_of(text: str) -> CellValue:
    """Return the cell that a scalar stands for: what is in quotes, and `0101` without them, is text."""
    number = number_of(text)
    if number is not None:
        # a cell does not know how many zeros were typed at the end of 19.90
        return exact_text(Decimal(text.rstrip("0").rstrip(".")) if "." in text else number)
    if isinstance(text, PlainText):
        if text in {"true", "false"}:
            return text == "true"
        day = _day(text)
        if day is not None:
            return cell_value(day, "yyyy-mm-dd hh:mm" if isinstance(day, datetime) else "yyyy-mm-dd")
    return cell_value(str(text))


def _day(text: str) -> date | None:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None
