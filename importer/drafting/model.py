"""What a draft consists of, all frozen."""

from dataclasses import dataclass, field

from importer.endpoints import Endpoint

#: The path of a field as a mapping nests it, such as ("fields", "mainAddress", "city") or ("lines", "quantity").
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Say which column feeds one field: as a line of the mapping, or behind a # with the reason."""

    path: Path
    header: str
    #: options as they are written, such as ("format", "dd.mm.yyyy"); a doubtful one is written behind a #
    options: tuple[tuple[str, str], ...] = ()
    doubtful_options: tuple[tuple[str, str], ...] = ()
    #: what was seen in the column
    evidence: str = ""
    #: why it is drafted behind a #; empty where it is sure
    doubt: str = ""
    #: the whole value where it is not a column with options
    literal: str = ""

    @property
    def sure(self) -> bool:
        """Tell whether it is drafted as a line."""
        return not self.doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Hold a column that feeds nothing, and what was seen in it."""

    header: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Hold one line of `workbook`, or a whole line at the top, with its evidence; doubtful behind a #."""

    name: str
    value: str
    evidence: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Hold a drafted mapping."""

    endpoint: Endpoint
    name: str
    #: the workbook's name, the sheet, its header row and how many rows it has
    file: str
    sheet: str
    header_row: int
    rows: int
    settings: tuple[Setting, ...] = ()
    where: Setting | None = None
    key: Item | None = None
    items: tuple[Item, ...] = ()
    #: headers to be summed, with the evidence
    totals: tuple[Item, ...] = ()
    left: tuple[Left, ...] = ()
    #: what must be filled in before the mapping can be used
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def columns(self) -> tuple[Item, ...]:
        """Return the key, every field and every total, in the order of the mapping."""
        return (*((self.key,) if self.key else ()), *self.items, *self.totals)
