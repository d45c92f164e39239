"""Read a mapping file into a Mapping, or tell everything that is wrong with it at once."""

import re
from collections.abc import Mapping as Dictionary
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from importer import resources
from importer.endpoints import Endpoint, table
from importer.errors import MappingError
from importer.expression import Expression, compile_expression
from importer.fields import Field, Kind, fields_of
from importer.literals import literal
from importer.locales import DateFormat, locale
from importer.mapping import Mapping, Parameter, Referred, Rule, TotalSpec, WorkbookSpec
from importer.mapping_advice import where_it_belongs
from importer.model import ABSENT, Fault, FieldValue
from importer.schemacheck import as_boolean, as_integer, check, load_schema
from importer.values import Options, clean, clean_header
from importer.yamlfile import FileFault, Mark, Step, YamlFile, YamlPath, did_you_mean, load

#: Formats of a period; any other is a date's.
_PERIODS: Final = frozenset({"mmyyyy", "yyyymm"})
_PERIOD: Final = Field(name="period", description="The financial period.", kind=Kind.TEXT)
#: Options of how a cell is read; of a reference they belong to its key.
_OF_CELLS: Final = ("as", "decimals", "format", "map", "pad", "pattern", "round", "type")
_KEY: Final = Field(name="key", description="What tells documents apart.", kind=Kind.TEXT)


def read_mapping(path: Path, name: str | None = None) -> Mapping:
    """Read and check a mapping file.

    Raises: MappingError holding every fault, each with its line quoted.
    """
    file = load(path, name)
    schema = load_schema(resources.schemas() / "mapping.schema.json")
    faults = check(file, schema, where_it_belongs(file.data))
    if not isinstance(file.data, dict) or not isinstance(file.data.get("endpoint"), str):
        _stop(faults)
    reader = _Reader(file, faults)
    mapping = reader.mapping()
    faults.sort(key=lambda fault: (fault.mark.line, fault.mark.column) if fault.mark else (0, 0))
    if faults or mapping is None:
        _stop(faults)
    return mapping


def _stop(faults: list[FileFault]) -> NoReturn:
    raise MappingError("\n".join(str(fault) for fault in faults), tuple(faults))


class _Reader:
    """Build the Mapping from checked data, collecting what the schema cannot tell.

    A part in which the schema found a fault is skipped: its fault is told already.
    """

    def __init__(self, file: YamlFile, faults: list[FileFault]) -> None:
        self.file = file
        self.faults = faults
        self._known_bad: set[Mark] = {fault.mark for fault in faults if fault.mark}
        self._workbook = self._workbook_spec(self._dict(file.data.get("workbook")))

    def mapping(self) -> Mapping | None:
        data = self.file.data
        endpoint = table().get(data["endpoint"])
        if endpoint is None or not isinstance(data.get("fields", {}), dict):
            return None
        members = dict(fields_of(endpoint.name))
        lines = members.pop(endpoint.lines).members if endpoint.lines else None
        fields = self._dict(data.get("fields"))
        period = self._period(fields, endpoint)
        parameters = self._parameters()
        key = self._key(data, endpoint)
        rules = self._rules(fields, members, ("fields",), ())
        line_rules = self._rules(self._dict(data.get("lines")), lines or {}, ("lines",), ())
        where = self._expression(data.get("where"), ("where",), typed="true or false")
        mapping = None
        if key is not None:
            mapping = Mapping(
                source=self.file,
                name=name_of(self.file.path, data),
                endpoint=endpoint,
                api=str(data.get("api", endpoint.versions[0])),
                workbook=self._workbook,
                where=where,
                parameters=parameters,
                key=key,
                period=period,
                fields=tuple(rules),
                lines=tuple(line_rules),
                totals=self._totals(),
                template=str(data.get("template", f"{endpoint.name}.json.j2")),
                refuse_changed=data.get("if_changed") == "refuse",
                compare=bool(as_boolean(data.get("compare"))),
                on_existing=str(data.get("on_existing", "update")),
                on_missing=str(data.get("on_missing", "create")),
            )
            self._check_params(mapping)
        return mapping

    def fault(self, place: YamlPath, message: str, hint: str = "", *, on_key: bool = False) -> None:
        fault = self.file.fault(place, message, hint=hint, on_key=on_key)
        if self._known_bad.isdisjoint({fault.mark, self.file.marks.get(place)}):
            self.faults.append(fault)

    @staticmethod
    def _dict(data: Any) -> dict[str, Any]:
        return data if isinstance(data, dict) else {}

    def _workbook_spec(self, data: dict[str, Any]) -> WorkbookSpec:
        where = None
        if isinstance(data.get("locale"), str):
            try:
                where = locale(data["locale"])
            except ValueError as error:
                self.fault(("workbook", "locale"), str(error))
        return WorkbookSpec(
            file=self.file.path.parent / str(data["file"]) if isinstance(data.get("file"), str) else None,
            sheet=str(data["sheet"]) if "sheet" in data else None,
            header_row=as_integer(data.get("header_row")) or 1,
            locale=where,
            hidden_rows=str(data.get("hidden_rows", "error")),
            encoding=str(data["encoding"]) if data.get("encoding") else None,
            delimiter=str(data["delimiter"]) if data.get("delimiter") else None,
        )

    def _parameters(self) -> dict[str, Parameter]:
        result: dict[str, Parameter] = {}
        for name, data in self._dict(self.file.data.get("parameters")).items():
            if not isinstance(data, dict) or data.get("type") not in set(Kind):
                continue
            kind = Kind(data["type"])
            default = None
            if "default" in data:
                value = literal(str(data["default"]), kind)
                if isinstance(value, Fault):
                    self.fault(("parameters", name, "default"), value.message)
                else:
                    default = value
            result[name] = Parameter(
                name=name, kind=kind, required=bool(as_boolean(data.get("required"))), default=default
            )
        return result

    def _key(self, data: dict[str, Any], endpoint: Endpoint) -> Rule | None:
        if "key" not in data:
            return None
        return self._rule(data["key"], _KEY, ("key",), ("key",), digits=not endpoint.key_in_path)

    def _period(self, fields: dict[str, Any], endpoint: Endpoint) -> Rule | None:
        if "period" not in fields or not endpoint.period:
            return None
        for name in ("postPeriod", "financialPeriod"):
            if name in fields:
                self.fault(("fields", name), f"{name!r} is written by 'period' already.", "Keep one.", on_key=True)
        data = fields["period"]
        form = data.get("format", "") if isinstance(data, dict) else ""
        if form not in _PERIODS:
            # a date's, which is read as that of any date
            form = ""
        plain = {name: value for name, value in data.items() if name != "format"} if form else data
        rule = self._rule(plain, _PERIOD, ("fields", "period"), ("period",), digits=True)
        return replace(rule, period_format=str(form)) if rule else None

    def _rules(
        self, data: dict[str, Any], members: Dictionary[str, Field], place: YamlPath, target: tuple[Step, ...]
    ) -> list[Rule]:
        rules: list[Rule] = []
        for name, value in data.items():
            spec, here = members.get(name), (*place, name)
            if spec is None:
                continue
            if spec.members is None:
                rule = self._rule(value, spec, here, (*target, name))
                rules += [rule] if rule else []
            elif spec.many and isinstance(value, list):
                for index, entry in enumerate(value):
                    if isinstance(entry, dict):
                        rules += self._rules(entry, spec.members, (*here, index), (*target, name, index))
            elif isinstance(value, dict):
                rules += self._rules(value, spec.members, here, (*target, name))
        return rules

    def _rule(
        self, data: Any, spec: Field, place: YamlPath, target: tuple[Step, ...], *, digits: bool = False
    ) -> Rule | None:
        if isinstance(data, str):
            data = {"column": data}
        if not isinstance(data, dict):
            return None
        sources = [name for name in ("column", "value", "template", "document") if name in data]
        if len(sources) != 1:
            found = f"found {' and '.join(map(repr, sources))}" if sources else "found none"
            self.fault(
                place,
                f"{'.'.join(map(str, place))} needs exactly one of 'column', 'value', 'template' and 'document'; "
                f"{found}.",
            )
            return None
        options = self._options(data, spec, place, digits=digits)
        if options is None:
            return None
        self._check_blank(data, spec, place)
        default = self._literal(data, "default", options, place)
        blank = "error" if as_boolean(data.get("required")) else str(data.get("blank", "omit"))
        column = clean_header(str(data["column"])) if "column" in data else None
        if column == "":
            self.fault(
                (*place, "column") if (*place, "column") in self.file.marks else place,
                "The column's header is missing.",
            )
        return Rule(
            target=target,
            place=place,
            options=options,
            column=column,
            constant=self._literal(data, "value", options, place),
            template=self._expression(
                data.get("template"), (*place, "template"), number=options.kind in {Kind.DECIMAL, Kind.INTEGER}
            ),
            document=self._referred(data, place, target),
            required=bool(as_boolean(data.get("required"))),
            default=default,
            blank=blank,
        )

    def _referred(self, data: dict[str, Any], place: YamlPath, target: tuple[Step, ...]) -> Referred | None:
        if not isinstance(data.get("document"), str) or "key" not in data:
            return None
        given = data["key"]
        for name in (name for name in _OF_CELLS if name in data):
            hint = f"Write it into the key: key: {{column: ..., {name}: ...}}"
            self.fault((*place, name), f"{name!r} does nothing beside 'document'.", hint, on_key=True)
        if isinstance(given, str) and "{{" in given:
            # no header looks like this, and a key is put together more often than a value
            given = {"template": given}
        key = self._rule(given, _KEY, (*place, "key"), target, digits=True)
        earlier = bool(as_boolean(data.get("earlier")))
        return Referred(name=str(data["document"]), key=key, earlier=earlier) if key else None

    def _check_blank(self, data: dict[str, Any], spec: Field, place: YamlPath) -> None:
        if data.get("blank") == "clear" and spec.kind is not Kind.TEXT:
            self.fault((*place, "blank"), "Only a text field can be cleared.", "Use omit or error.")
        if "round" in data and "decimals" not in data:
            self.fault(
                (*place, "round"),
                "'round' needs 'decimals': how many are to be left.",
                "Add decimals: 2",
                on_key=True,
            )
        if as_boolean(data.get("required")) and data.get("blank") in {"omit", "clear"}:
            self.fault(
                (*place, "blank"),
                "A required field cannot be left blank.",
                "Delete one of 'required' and 'blank'.",
            )

    def _options(self, data: dict[str, Any], spec: Field, place: YamlPath, *, digits: bool) -> Options | None:
        kind = spec.kind or Kind.TEXT
        if str(data.get("type", "")) in set(Kind):
            kind = Kind(data["type"])
        pattern = data.get("pattern")
        if pattern == "":
            self.fault((*place, "pattern"), "'pattern' is empty.", "Write a pattern, or delete the line.", on_key=True)
            return None
        if isinstance(pattern, str):
            try:
                re.compile(pattern)
            except re.error as error:
                self.fault((*place, "pattern"), f"{pattern!r} is not a regular expression: {error}.")
                return None
        form = None
        if isinstance(data.get("format"), str):
            try:
                form = DateFormat(data["format"])
            except ValueError as error:
                self.fault((*place, "format"), f"The date format {data['format']!r} cannot be used. {error}")
                return None
        base = Options(
            field=spec,
            kind=kind,
            date_format=form,
            decimals=as_integer(data.get("decimals")),
            round=data.get("round"),
            pad=as_integer(data.get("pad")),
            displayed=data.get("as") == "displayed",
            pattern=pattern,
            digits_allowed=digits,
        )
        return replace(base, codes=self._codes(data.get("map"), base, place))

    def _codes(self, data: Any, options: Options, place: YamlPath) -> dict[str, FieldValue]:
        codes: dict[str, FieldValue] = {}
        typed: dict[str, str] = {}
        for code, text in self._dict(data).items():
            first = typed.setdefault(clean(code), code)
            if first != code:
                message = f"A cell that holds {code!r} is read as one that holds {first!r}, which stands here already."
                self.fault((*place, "map", code), message, "Keep one of the two.", on_key=True)
            elif isinstance(text, str):
                value = literal(text, options.field.kind or Kind.TEXT, options)
                if isinstance(value, Fault):
                    self.fault((*place, "map", code), value.message)
                else:
                    codes[clean(code)] = value
        return codes

    def _literal(self, data: dict[str, Any], name: str, options: Options, place: YamlPath) -> FieldValue | None:
        if not isinstance(data.get(name), str):
            return None
        value = literal(data[name], options.field.kind or Kind.TEXT, options)
        if isinstance(value, Fault):
            self.fault((*place, name), value.message)
            return ABSENT
        return value

    def _expression(self, text: Any, place: YamlPath, *, typed: str = "", number: bool = False) -> Expression | None:
        if not isinstance(text, str):
            return None
        if not text.strip():
            self.fault(
                place, f"{str(place[-1])!r} is empty.", "Write an {{ expression }}, or delete the line.", on_key=True
            )
            return None
        try:
            expression = compile_expression(text, self._workbook.locale, number=number)
        except ValueError as error:
            self.fault(place, str(error))
            return None
        for name in sorted(expression.unknown):
            near = did_you_mean(name, ["row", "param"])
            known = near.startswith("Did you mean")
            hint = near if known else f"Write row['{name}'] for the column, param.{name} for the parameter."
            self.fault(place, f"The template {text!r} uses {name!r}, which is nothing by itself.", hint)
        if typed and not expression.typed:
            self.fault(
                place,
                f"This must be one {{{{ expression }}}} that is {typed}.",
                "Put all of it inside {{ }}.",
            )
        return expression

    def _totals(self) -> tuple[TotalSpec, ...]:
        totals: list[TotalSpec] = []
        data = self.file.data.get("totals")
        for index, item in enumerate(data if isinstance(data, list) else []):
            if not isinstance(item, dict) or not isinstance(item.get("sum"), str):
                continue
            place: YamlPath = ("totals", index)
            expect = None
            if isinstance(item.get("expect"), str):
                expect = self._expect(item["expect"], (*place, "expect"))
            column = clean_header(item["sum"])
            totals.append(TotalSpec(name=str(item.get("name", column)), column=column, expect=expect, place=place))
        return tuple(totals)

    def _expect(self, text: str, place: YamlPath) -> Expression | None:
        if "{{" not in text:
            value = literal(text, Kind.DECIMAL)
            if isinstance(value, Fault):
                self.fault(place, value.message, "Write a number with a decimal point, or {{ param.name }}.")
                return None
            text = f"{{{{ decimal('{text.strip()}') }}}}"
        expression = self._expression(text, place, typed="a number")
        if expression and expression.headers:
            self.fault(place, "A total's expectation is one for the whole sheet; it cannot use row.")
        return expression

    def _check_params(self, mapping: Mapping) -> None:
        sources = [rule.source for rule in mapping.rules]
        places = [(rule.template, (*rule.place, "template")) for rule in sources]
        places += [(mapping.where, ("where",))]
        places += [(total.expect, (*total.place, "expect")) for total in mapping.totals]
        for expression, place in places:
            for name in sorted(expression.params - set(mapping.parameters)) if expression else ():
                hint = did_you_mean(name, list(mapping.parameters))
                self.fault(place, f"The parameter {name!r} is not declared under 'parameters'.", hint)


def name_of(path: Path, data: dict[str, Any]) -> str:
    """Return the name of the mapping that a file holds: its own, or the file's."""
    return str(data.get("name") or path.stem.removesuffix(".mapping"))
