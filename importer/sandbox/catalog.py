"""Read resources.json: which resources there are, their bodies' fields and types, their filters and actions.

A field's type is written as `[bare ]KIND[ > READ.PATH]`. KIND is text, int, number, bool, date, guid, a list
of words (`A|B`), an object (`{Address}`) or a list of objects (`[Segment]`). Scalars and objects are wrapped
in `{"value": ...}` unless `bare`; lists never are. The read path says where a read answer has the field, `-`
nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from importer.errors import ProgramError
from importer.sandbox import jsontext

_FOLDER = Path(__file__).resolve().parent

Shape = Literal["scalar", "object", "list"]


@dataclass(frozen=True, slots=True)
class Field:
    """Describe one field of a body."""

    name: str
    shape: Shape
    kind: str
    wrapped: bool
    read: tuple[str, ...] | None

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words an enumeration allows, else nothing."""
        return tuple(self.kind.split("|")) if "|" in self.kind else ()


Fields = Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Action:
    """Describe one action of a resource: what it does, the type of its body, what it creates."""

    effect: Literal["release", "record", "reverse"]
    body: str | None = None
    creates: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """Say which record a document belongs to, and in which field."""

    resource: str
    field: str
    label: str


@dataclass(frozen=True, slots=True)
class Series:
    """Describe a number series."""

    start: int
    width: int


@dataclass(frozen=True, slots=True)
class Resource:
    """Describe one resource, as its row in resources.json has it."""

    name: str
    path: str
    create: tuple[str, ...]
    delete: bool
    etag_on_create: tuple[str, ...]
    body: Fields
    number: str
    series: Series
    record: str
    failure: Mapping[str, str]
    lists_errors: bool
    document_type: str | None
    lines: str | None
    party: Party | None
    required: Mapping[str, str]
    filters: Mapping[str, str]
    expand: Mapping[str, tuple[str, ...]]
    actions: Mapping[str, Action]

    @property
    def is_document(self) -> bool:
        """Say whether it is a document (with a date, a period, a release), not a record like a customer."""
        return self.document_type is not None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Hold all types and resources."""

    types: Mapping[str, Fields]
    resources: Mapping[str, Resource]

    def at(self, path: str) -> Resource | None:
        """Return the resource with that path segment, in any casing."""
        return next((r for r in self.resources.values() if r.path.lower() == path.lower()), None)

    def line_fields(self, resource: Resource) -> Fields:
        """Return the fields of a line of this resource."""
        return self.types[resource.body[resource.lines].kind] if resource.lines else {}


def load(path: Path | None = None) -> Catalog:
    """Read the resources of the sandbox, or those of another file.

    Raises: ProgramError when the file is not what this module's docstring says.
    """
    source = path or _FOLDER / "resources.json"
    try:
        raw = jsontext.read(source.read_text(encoding="utf-8"))
        types = {name: _fields(raw["types"], name) for name in raw["types"]}
        resources = {name: _resource(name, row, types, raw) for name, row in raw["resources"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProgramError(f"The sandbox cannot use {source.name}: {error!r}.") from error
    return Catalog(types, resources)


def _fields(types: Mapping[str, Mapping[str, str]], name: str) -> dict[str, Field]:
    """Return the fields of a type, those of the type it builds on (`<`) first."""
    own = dict(types[name])
    inherited = own.pop("<", None)
    fields = _fields(types, inherited) if inherited else {}
    return fields | {field: _field(field, spec) for field, spec in own.items()}


def _field(name: str, spec: str) -> Field:
    """Read one field's type."""
    kind, _, path = spec.partition(" > ")
    bare = kind.startswith("bare ")
    kind = kind.removeprefix("bare ")
    shape: Shape = "object" if kind[0] == "{" else "list" if kind[0] == "[" else "scalar"
    read = None if path == "-" else tuple((path or name).split("."))
    return Field(name, shape, kind.strip("{}[]"), not bare and shape != "list", read)


def _resource(name: str, row: Mapping[str, Any], types: Mapping[str, Fields], raw: Mapping[str, Any]) -> Resource:
    """Read one resource's row."""
    own = dict(row)
    return Resource(
        name=name,
        create=tuple(own.pop("create")),
        etag_on_create=tuple(own.pop("etag_on_create")),
        body=types[own.pop("body")],
        series=Series(**own.pop("series")),
        party=Party(**party) if (party := own.pop("party")) else None,
        filters=raw["filters"][own.pop("filters")],
        expand={flag: tuple(parts) for flag, parts in raw["expand"][own.pop("expand")].items()},
        actions={action: Action(**spec) for action, spec in own.pop("actions").items()},
        **own,
    )
