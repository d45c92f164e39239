"""Tell what a mapping expects of each column of its sheet: type, choices, whether it must be filled."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from importer.expression import Expression, param_view, row_view
from importer.fields import Kind
from importer.jsontext import canonical_fingerprint
from importer.locales import BOOLEAN_WORDS
from importer.mapping import Mapping, Rule
from importer.model import Fault

_PERIODS: Final = {"period", "postPeriod", "financialPeriod"}
#: Where several fields take one column, what suits them all.
_ORDER: Final = (Kind.TEXT, Kind.UUID, Kind.DATE, Kind.DATETIME, Kind.BOOLEAN, Kind.INTEGER, Kind.DECIMAL)
_VERSION_LENGTH: Final = 12


@dataclass(frozen=True, kw_only=True)
class MappedColumn:
    """Hold one column that a mapping names, and what it expects there."""

    header: str
    kind: Kind
    #: the rules that take its cells as they are
    rules: tuple[Rule, ...] = ()
    #: the values that its cells may hold; empty for any
    choices: tuple[str, ...] = ()
    mandatory: bool = False
    key: bool = False
    #: True where it goes to lines only
    line: bool = False
    #: True where nothing but a total sums it up
    total_only: bool = False
    #: names of fields, as people write them
    fields: tuple[str, ...] = field(default=())

    @property
    def decimals(self) -> int | None:
        """Return how many decimals its numbers may have; None for any."""
        known = [rule.options.decimals for rule in self.rules if rule.options.decimals is not None]
        return min(known, default=None)

    def described(self) -> dict[str, Any]:
        """Return it as plain data: what makes an earlier workbook unlike a later one."""
        return {
            "header": self.header,
            "kind": str(self.kind),
            "fields": list(self.fields),
            "choices": list(self.choices),
            "mandatory": self.mandatory,
            "key": self.key,
            "decimals": self.decimals,
            "pads": sorted({rule.options.pad or 0 for rule in self.rules}),
            "patterns": sorted({rule.options.pattern or "" for rule in self.rules}),
        }


def mapped_columns(mapping: Mapping) -> tuple[MappedColumn, ...]:
    """Return the columns a mapping names: the key's, those of fields and lines as the file has them, the rest."""
    return tuple(_column(mapping, header) for header in _headers(mapping))


def version_of(mapping: Mapping) -> str:
    """Return a short hash of the columns a mapping expects, and where; constants do not change it."""
    described = {
        "endpoint": mapping.endpoint.name,
        "sheet": mapping.workbook.sheet,
        "header_row": mapping.workbook.header_row,
        "columns": [column.described() for column in mapped_columns(mapping)],
    }
    return canonical_fingerprint(described)[:_VERSION_LENGTH]


def _headers(mapping: Mapping) -> Iterable[str]:
    """Yield each header once, in the order in which a person fills them in."""
    marks = mapping.source.marks
    rest = [rule for rule in mapping.rules if rule is not mapping.key]
    places = {id(rule): (mark.line, mark.column) if (mark := marks.get(rule.place)) else (0, 0) for rule in rest}
    found = [*mapping.key.headers]
    for rule in sorted(rest, key=lambda rule: places[id(rule)]):
        found += rule.headers
    found += sorted(mapping.where.headers) if mapping.where else []
    found += [total.column for total in mapping.totals]
    return dict.fromkeys(found)


def _column(mapping: Mapping, header: str) -> MappedColumn:
    rules = tuple(rule for rule in mapping.rules if rule.source.column == header)
    using = [rule for rule in mapping.rules if header in rule.headers]
    filtering = mapping.where is not None and header in mapping.where.headers
    return MappedColumn(
        header=header,
        kind=_kind(rules, total=not using and not filtering),
        rules=rules,
        choices=_choices(mapping, rules),
        mandatory=any(_needs(mapping, rule, header) for rule in using),
        key=mapping.key in using,
        line=bool(using) and all(rule in mapping.lines for rule in using),
        total_only=not using and not filtering,
        fields=tuple(dict.fromkeys(_name(mapping, rule) for rule in using)),
    )


def _name(mapping: Mapping, rule: Rule) -> str:
    return f"lines.{rule.name}" if rule in mapping.lines else rule.name


def _kind(rules: Iterable[Rule], *, total: bool) -> Kind:
    """Return the type that suits every field: a text where one takes text; a period goes along with anything."""
    if total:
        return Kind.DECIMAL
    kinds = {rule.options.kind for rule in rules if rule.target[0] not in _PERIODS}
    return next((kind for kind in _ORDER if kind in kinds), Kind.TEXT)


def _choices(mapping: Mapping, rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return the values that every field of the column takes."""
    lists = [known for rule in rules if (known := _choices_of(mapping, rule))]
    if not lists:
        return ()
    return tuple(value for value in lists[0] if all(value in other for other in lists[1:]))


def _choices_of(mapping: Mapping, rule: Rule) -> tuple[str, ...]:
    options = rule.options
    if options.codes:
        return tuple(options.codes)
    if options.field.enum and options.kind is Kind.TEXT:
        return options.field.enum
    if options.kind is Kind.BOOLEAN:
        where = mapping.workbook.locale
        own = list(BOOLEAN_WORDS.get(where.language, {}) if where else ())
        return tuple(own[:2]) or ("true", "false")
    return ()


def _needs(mapping: Mapping, rule: Rule, header: str) -> bool:
    """Tell whether a blank cell is a problem for this rule."""
    if rule is mapping.key:
        return True
    if rule.default is not None:
        return False
    if rule.source.template is not None:
        return _breaks(rule.source.template, header)
    return rule.blank == "error" or (rule.target[0] in mapping.endpoint.needed and len(rule.target) == 1)


def _breaks(expression: Expression, header: str) -> bool:
    """Tell whether an expression cannot do without a cell."""
    headers = tuple(sorted(expression.headers))
    given = param_view(dict.fromkeys(expression.params, "1"))
    # what reckons with a cell breaks with a text in the others, and what cuts a text breaks with a number
    return all(
        isinstance(
            expression.evaluate(
                row_view(headers, tuple(None if name == header else one for name in headers), blank_is_text=False),
                given,
            ),
            Fault,
        )
        for one in ("1", Decimal(1))
    )
