"""What a mapping says, frozen: where each value comes from and how a cell becomes it (mapping_file.py reads it)."""

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from pathlib import Path

from importer.endpoints import Endpoint
from importer.errors import UsageError
from importer.expression import Expression
from importer.fields import Kind
from importer.literals import literal
from importer.locales import Locale
from importer.model import Fault, FieldValue
from importer.values import Options
from importer.yamlfile import Step, YamlFile, YamlPath, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Say where the value of one field comes from and how a cell becomes it."""

    #: where the value goes in the body, such as ("mainAddress", "city") or ("attributeLines", 0, "attributeId")
    target: tuple[Step, ...]
    #: where the rule stands in the mapping file
    place: YamlPath
    options: Options
    column: str | None = None
    constant: FieldValue | None = None
    template: Expression | None = None
    document: "Referred | None" = None
    required: bool = False
    default: FieldValue | None = None
    #: omit, clear or error
    blank: str = "omit"
    #: of a period: mmyyyy, yyyymm or empty
    period_format: str = ""

    @property
    def name(self) -> str:
        """Name the field as people write it, such as `mainAddress.city`."""
        return ".".join(str(step) for step in self.target if isinstance(step, str))

    @property
    def source(self) -> "Rule":
        """Return the rule that names the cells: of a reference, the one of its key."""
        return self.document.key if self.document else self

    @property
    def headers(self) -> tuple[str, ...]:
        """Return the headers of the cells that it looks at."""
        if self.source.column is not None:
            return (self.source.column,)
        return tuple(sorted(self.source.template.headers)) if self.source.template else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """Say which document's number a field takes."""

    #: the step or mapping that makes it
    name: str
    key: Rule
    #: True where an earlier run may have made it
    earlier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookSpec:
    """Say where the rows are."""

    file: Path | None = None
    sheet: str | None = None
    header_row: int = 1
    locale: Locale | None = None
    hidden_rows: str = "error"
    #: of a text file; None where they are to be found out
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Declare one value that the command line gives."""

    name: str
    kind: Kind
    required: bool = False
    default: FieldValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalSpec:
    """Declare one control total."""

    name: str
    column: str
    expect: Expression | None
    place: YamlPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Hold one mapping file, checked."""

    source: YamlFile = field(repr=False)
    name: str
    endpoint: Endpoint
    api: str
    workbook: WorkbookSpec
    where: Expression | None
    parameters: Dictionary[str, Parameter]
    key: Rule
    period: Rule | None
    fields: tuple[Rule, ...]
    lines: tuple[Rule, ...]
    totals: tuple[TotalSpec, ...]
    #: file name of the body template
    template: str
    #: of an update: refuse where somebody changed the document since it was read
    refuse_changed: bool = False
    #: of an update: send only what differs from what the API holds
    compare: bool = False
    #: of an upsert, what becomes of what exists: update, skip or refuse
    on_existing: str = "update"
    #: of an upsert, what becomes of what does not exist: create or refuse
    on_missing: str = "create"

    @property
    def rules(self) -> Iterator[Rule]:
        """Yield every rule of the mapping."""
        yield self.key
        yield from (self.period,) if self.period else ()
        yield from self.fields
        yield from self.lines

    @property
    def referred(self) -> Iterator[Rule]:
        """Yield every rule that takes the number of another document."""
        yield from (rule for rule in (*self.fields, *self.lines) if rule.document)


def parameter_values(
    mapping: Mapping, given: Dictionary[str, str], *, how: str = "--param {name}=VALUE"
) -> Dictionary[str, FieldValue | None]:
    """Return each declared parameter's value, None where it has none; `how` is how the user gives one.

    Raises: UsageError naming every parameter that is unknown, missing or not of its type.
    """
    troubles = [
        f"The mapping declares no parameter {name!r}. {did_you_mean(name, list(mapping.parameters))}".rstrip()
        for name in given
        if name not in mapping.parameters
    ]
    values: dict[str, FieldValue | None] = {}
    for name, parameter in mapping.parameters.items():
        values[name] = parameter.default
        if name in given:
            value = literal(given[name], parameter.kind)
            if isinstance(value, Fault):
                place = how.format(name=name).removesuffix("VALUE").rstrip("=: ")
                troubles.append(f"{place}: {value.message}")
            else:
                values[name] = value
        elif parameter.required and parameter.default is None:
            troubles.append(f"The parameter {name!r} has no value. Give it: {how.format(name=name)}")
    if troubles:
        raise UsageError("\n".join(troubles))
    return values
