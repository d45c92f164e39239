"""The nouns that travel between the modules, all frozen. Never reads, sends or prints."""

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

N = TypeVar("N")


@cache
def _slots(kind: Any) -> tuple[dict[str, Callable[[Any, Any], None]], Callable[[Any], tuple[Any, ...]]]:
    """Return what writes each value of a noun, and what reads all of them."""
    names = tuple(kind.__dataclass_fields__)
    return {name: getattr(kind, name).__set__ for name in names}, attrgetter(*names)


def changed(noun: N, **values: Any) -> N:
    """Return a noun with slots with other values; `dataclasses.replace`, in a quarter of the time.

    Raises: TypeError where it has no such value.
    """
    kind = type(noun)
    write, read = _slots(kind)  # type: ignore[arg-type]
    if not values.keys() <= write.keys():
        raise TypeError(f"{kind.__name__} has no {', '.join(values.keys() - write.keys())}")
    new = object.__new__(kind)
    for put, value in zip(write.values(), read(noun), strict=True):
        put(new, value)
    for name, value in values.items():
        write[name](new, value)
    return new


class Status(StrEnum):
    """Name what became of a document; the words are the report's."""

    ACCEPTED = "accepted"
    ALREADY_ACCEPTED = "already_accepted"
    CHANGED = "changed"
    INVALID = "invalid"
    FILTERED = "filtered"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Absent:
    """Stand for a value that is not mapped or blank; it vanishes from the body."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "absent"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Fault:
    """Stand in for a cell whose value cannot be known; `code` and `message` become a problem."""

    code: str
    #: what the cell shows, such as `#N/A`
    shown: str
    message: str
    #: the header of the cell, where a template that looks at several found it
    column: str | None = None


#: What a cell holds after reading. A number is exact; None is a blank.
CellValue = None | str | Decimal | bool | date | datetime | time | Fault
#: What a field of a body holds after conversion.
FieldValue = str | int | Decimal | bool | date | datetime | Absent


class Reference(str):
    """Stand in a body for the number of another document, until that is known: `⟦customers: K-17⟧`."""

    __slots__ = ("column", "earlier", "key", "name", "row")
    #: the step or mapping that makes the document
    name: str
    key: str
    #: where the key stands in the sheet
    row: int | None
    column: str | None
    #: True where an earlier run may have made the document
    earlier: bool

    def __new__(
        cls, name: str, key: str, row: int | None = None, column: str | None = None, *, earlier: bool = False
    ) -> "Reference":
        """Return what stands for the number of the document with this key."""
        self = super().__new__(cls, f"⟦{name}: {key}⟧")
        self.name, self.key, self.row, self.column, self.earlier = name, key, row, column, earlier
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one row of the sheet."""

    #: 1-based, as Excel shows it
    number: int
    cells: tuple[CellValue, ...]
    #: number formats of number cells that are not General, by column position (0-based)
    formats: Dictionary[int, str] = field(default_factory=dict)
    hidden: bool = False

    @property
    def blank(self) -> bool:
        """Tell whether no cell holds anything."""
        return all(cell is None for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Say what is wrong with one value, row, document or file, and what to do next."""

    sheet: str | None = None
    #: 1-based, as Excel shows it; None for the whole sheet or file
    row: int | None = None
    #: the column's header
    column: str | None = None
    #: the value as text; None for a blank or where no one value is to blame
    value: str | None = None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Hold what one document of the plan is: its rows and either its body or its problems."""

    #: None when the row has no key
    key: str | None
    rows: tuple[int, ...]
    status: Status | None = None
    #: endpoint by which it is sent and the journal knows it; empty for that of the run
    endpoint: str = ""
    #: the number in the path, where it is another than the key
    path_number: str | None = None
    #: the body as it is sent, UTF-8 JSON; empty unless the document can be sent
    body: bytes = b""
    #: SHA-256 of the canonical body, hexadecimal
    fingerprint: str = ""
    #: what the journal knows the document by: the key, for actions and inserted lines with the content
    identity: str = ""
    #: True where sending the same twice leaves what sending once leaves
    repeatable: bool = False
    #: what it must look like in the API to be found again, as JSON
    expect: str = ""
    #: the version that was read, where the write holds only for that one
    etag: str | None = None
    #: what it replaces, as JSON (compare.py)
    before: str = ""
    #: True where it waits for what became of an earlier attempt
    waits: bool = False
    #: True where it was found in the API, left there by an attempt of ours that was once in doubt
    adopted: bool = False
    #: customer number, by which documents wait for each other; for customers their own
    customer: str | None = None
    #: the number the body asks for, where it asks for one
    number: str | None = None
    #: documents whose numbers its body still lacks
    references: tuple[Reference, ...] = ()
    #: True where it is not sent since a document that it refers to is not there
    blocked: bool = False
    #: why it is filtered, or what is to be known about it
    message: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def known_as(self) -> str | None:
        """Return what the journal knows it as: the number in its path, or its key."""
        return self.key if self.path_number is None else self.path_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Hold one control total: the sum over a column, and what was expected of it."""

    name: str
    column: str
    #: None when a cell of the column could not be read
    sum: Decimal | None
    expect: Decimal | None = None

    @property
    def agrees(self) -> bool:
        """Tell whether nothing was expected or exactly this sum was."""
        return self.expect is None or self.sum == self.expect


class Past(NamedTuple):
    """Hold what the journal knows of one attempt that still counts; a tuple, since tens of thousands are made."""

    key: str
    identity: str
    #: what became of it, as the journal says
    state: str
    fingerprint: str
    number: str | None
    run_id: str
    #: when it was settled, or claimed
    at: str
    #: the server's time when it was claimed, ISO 8601
    sent_at: str = ""
    attempt_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Hold what one run knows of one document; what the report shows."""

    position: int
    key: str | None
    status: Status
    rows: tuple[int, ...]
    number: str | None = None
    http_status: int | None = None
    message: str = ""
    problems: tuple[Problem, ...] = ()
    #: ISO 8601 UTC
    sent_at: str | None = None
    #: of the content that was planned
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Hold what a run was: what it read, where it sent, when, and how it ended."""

    run_id: str
    started_at: str
    finished_at: str | None
    exit_code: int | None
    mapping_name: str
    mapping_file: str
    endpoint: str
    workbook_name: str
    workbook_sha256: str
    sheet: str
    header_row: int
    target: str
    company: str
    #: True when the run was against the simulated API
    simulated: bool
    rows_read: int
    totals: tuple[Total, ...] = ()
    #: why the run ended early; empty when it did not
    stopped: str = ""
    #: the saved plan that it carries out
    plan_id: str | None = None
    #: the sequence of runs that it is a step of, its name and how many steps it has
    sequence_id: str | None = None
    sequence_name: str | None = None
    steps: int | None = None
    #: which step, from 1, and its name
    step: int | None = None
    step_name: str | None = None
    #: how many documents of a status it was allowed to leave and be green, JSON
    allowed: str | None = None
