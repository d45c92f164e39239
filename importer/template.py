"""Render the body of a document with its Jinja template: values in, exact JSON bytes and fingerprint out.

Every `{{ }}` is JSON-encoded by the environment, so that no cell can break or inject into a body; values that are
absent vanish; the result is parsed with exact decimals and validated against the endpoint's request schema.
"""

import json
import traceback
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    Undefined,
    nodes,
)
from jinja2 import Template as JinjaTemplate
from jinja2.meta import find_referenced_templates
from jsonschema import ValidationError

from importer import resources
from importer.cells import CellError
from importer.errors import MappingError
from importer.expression import RUNTIME_ERRORS, SafeEnvironment, reason_of, restrict
from importer.jsontext import canonical_fingerprint, plain, write_json
from importer.locales import Locale
from importer.mapping import Mapping
from importer.model import ABSENT, Absent
from importer.request_schema import validator
from importer.yamlfile import FileFault, Mark, did_you_mean

_GONE: Final = "\x00absent\x00"
_GONE_JSON: Final = json.dumps(_GONE)
_MAX_BODY: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """Hold a body: as data with exact numbers, as the bytes that are sent, and its fingerprint."""

    data: dict[str, Any]
    body: bytes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RenderFault:
    """Say why a body cannot be rendered or is not what the endpoint takes."""

    code: str
    message: str
    #: the cell to blame, where there is one: its row, its header and what it shows
    row: int | None = None
    column: str | None = None
    value: str | None = None


def to_json(value: Any) -> str:
    """Write a value of a template as JSON with exact numbers; an undefined name is an error."""
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, Absent):
        return _GONE_JSON
    if value is None or isinstance(value, bool | str | int):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return plain(Decimal(value))
    if isinstance(value, datetime):
        return json.dumps(value.isoformat(timespec="milliseconds" if value.microsecond else "seconds") + "Z")
    if isinstance(value, date):
        return json.dumps(value.isoformat())
    if isinstance(value, float):
        return plain(Decimal(repr(value)))
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(str(name), ensure_ascii=False)}:{to_json(item)}" for name, item in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(to_json(item) for item in value) + "]"
    raise TypeError(f"a {type(value).__name__} cannot be written into a body")


def is_absent(value: object) -> bool:
    """Tell whether a value, read from what `to_json` wrote, is none."""
    return value == _GONE


def parse_json(text: str) -> Any:
    """Read JSON with exact decimals.

    Raises: ValueError where it is none, or where a name stands twice in one object.
    """
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_once)


class _Templates(FileSystemLoader):
    """Read templates as editors save them: UTF-8, with a mark before it or without."""

    def __init__(self, folders: list[Path]) -> None:
        super().__init__(folders, encoding="utf-8-sig")

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Any]:
        """Return text and file of a template.

        Raises: TemplateNotFound; TemplateSyntaxError where the file is not UTF-8 text.
        """
        try:
            return super().get_source(environment, template)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            reason = f"{template!r} is not UTF-8 text. Save it as UTF-8 in your editor"
            raise TemplateSyntaxError(reason, line, template, template) from None


class _BodyEnvironment(SafeEnvironment):
    """Say of a template that is nested beyond what can be compiled that this is what is wrong with it."""

    def compile(self, source: Any, name: str | None = None, *args: Any, **more: Any) -> Any:
        """Compile a template.

        Raises: TemplateSyntaxError.
        """
        try:
            return super().compile(source, name, *args, **more)
        except (RecursionError, SyntaxError, MemoryError):
            raise TemplateSyntaxError(f"{name!r} is nested too deeply", 1, name, name) from None


class BodyTemplate:
    """Render and check the bodies of one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        """Compile the mapping's body template.

        Raises: MappingError when the template is not there or is not Jinja.
        """
        self._mapping = mapping
        folder = mapping.source.path.parent.resolve()
        # where there is none of the user's own, all mappings share what is compiled
        own = (folder / mapping.template).is_file() or any(folder.glob("*.j2"))
        self._environment = environment = _environment(folder if own else None, mapping.workbook.locale)
        place = ("template",)
        try:
            loader: Any = environment.loader
            self._source, self._file, _ = loader.get_source(environment, mapping.template)
            if not self.bundled:
                # to find what is wrong in it; one of ours is compiled only where it is rendered
                _ = self._template
        except TemplateNotFound as error:
            names = [found.name for found in sorted(mapping.source.path.parent.glob("*.j2"))]
            names += [found.name for found in sorted(resources.templates().glob("*.j2"))]
            message = f"There is no template {error.name!r} beside the mapping or among the bundled ones."
            fault = mapping.source.fault(place, message, hint=did_you_mean(str(error.name), names))
            raise MappingError(str(fault), (fault,)) from None
        except TemplateSyntaxError as error:
            source = (error.source or "").splitlines()
            quote = source[error.lineno - 1] if 0 < error.lineno <= len(source) else ""
            fault = FileFault(
                file=error.name or mapping.template,
                message=f"The template is not valid: {str(error.message).rstrip('.')}.",
                mark=Mark(error.lineno, len(quote) - len(quote.lstrip()) + 1),
                quote=quote,
            )
            raise MappingError(str(fault), (fault,)) from None
        self._validator = validator(mapping.endpoint.name)

    @property
    def bundled(self) -> bool:
        """Tell whether it is one of ours."""
        return Path(str(self._file)).parent == resources.templates()

    @cached_property
    def _template(self) -> JinjaTemplate:
        return self._environment.get_template(self._mapping.template)

    def parsed(self) -> nodes.Template:
        """Return the template as Jinja reads it."""
        return self._environment.parse(self._source)

    def with_body(self, body: nodes.Template) -> JinjaTemplate:
        """Return another template that sees the same and writes values in the same way."""
        body.set_environment(self._environment)
        body.set_lineno(1)
        return self._environment.from_string(body)

    def render(self, values: Dictionary[str, Any]) -> Rendered | list[RenderFault]:
        """Return the body for `fields`, `lines`, `rows`, `key` and `param`, or everything that is wrong with it."""
        try:
            text = self._template.render(values)
        except CellError as error:
            fault = error.fault
            return [RenderFault(fault.code, fault.message, error.row, fault.column, fault.shown or None)]
        except RUNTIME_ERRORS as error:
            return [RenderFault("template", f"The template {self._where(error)} failed: {reason_of(error)}.")]
        if len(text) > _MAX_BODY:
            return [RenderFault("template", f"The template {self._mapping.template} gives {len(text):,} characters.")]
        try:
            return self._checked(text)
        except RecursionError:
            text = f"What the template {self._mapping.template} gives is nested too deeply to be a body."
            return [RenderFault("template", text)]

    def _checked(self, text: str) -> Rendered | list[RenderFault]:
        """Return the body that a rendered text is, or everything that is wrong with it."""
        try:
            parsed = parse_json(text)
        except ValueError as error:
            return [RenderFault("template", self._not_json(text, error))]
        if not isinstance(parsed, dict):
            text = f"What the template {self._mapping.template} gives is not one JSON object."
            return [RenderFault("body_type", text)]
        data = _without_absent(parsed)
        if isinstance(data, Absent):
            data = {}
        faults = [fault for error in self._validator.iter_errors(data) for fault in _words(error)]
        if faults:
            return list(dict.fromkeys(faults))
        body = write_json(data).encode()
        return Rendered(data, body, canonical_fingerprint(data))

    def _where(self, error: BaseException) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == self._file]
        return f"{self._mapping.template}, line {lines[-1]}," if lines else self._mapping.template

    def _not_json(self, text: str, error: ValueError) -> str:
        where = ""
        if isinstance(error, json.JSONDecodeError):
            line = text.splitlines()[error.lineno - 1].strip() if text else ""
            where = f" at {_show(line)!r}"
        quoted = " Write {{ value }} without quotes around it: the quotes are added." if '""' in text else ""
        return f"What the template {self._mapping.template} gives is not JSON{where}: {error}.{quoted}"


def template_files(mapping: Mapping) -> list[Path]:
    """Return the files that make a mapping's bodies: its template, and what that includes, imports or extends."""
    folder = mapping.source.path.parent.resolve()
    environment = _environment(folder, mapping.workbook.locale)
    found: dict[str, Path] = {}
    names: list[str | None] = [mapping.template]
    while names:
        name = names.pop()
        if name is None:
            # its name is only known when it is rendered
            names += [file.relative_to(folder).as_posix() for file in folder.rglob("*.j2")]
        elif name not in found and environment.loader is not None:
            try:
                text, file, _ = environment.loader.get_source(environment, name)
                names += find_referenced_templates(environment.parse(text))
            except (TemplateNotFound, TemplateSyntaxError, RecursionError):
                # no body can be made with it
                continue
            found[name] = Path(str(file))
    return [found[name] for name in sorted(found)]


def _show(line: str) -> str:
    return line.replace(_GONE_JSON, "(absent)")[:80]


@cache
def _environment(folder: Path | None, where: Locale | None) -> Environment:
    environment = _BodyEnvironment(
        undefined=StrictUndefined,
        finalize=to_json,
        loader=_Templates([*([folder] if folder else []), resources.templates()]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    restrict(environment, where)
    environment.globals["absent"] = ABSENT
    environment.filters.pop("tojson", None)
    return environment


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} stands twice in one object")
    return data


def _without_absent(node: Any) -> Any:
    """Return a body without what is absent; an object or list of which nothing is left is absent too."""
    if is_absent(node):
        return ABSENT
    if isinstance(node, dict):
        kept = {name: item for name, item in ((n, _without_absent(v)) for n, v in node.items()) if item is not ABSENT}
        return kept or ABSENT
    if isinstance(node, list):
        items = [item for item in map(_without_absent, node) if item is not ABSENT]
        return items or ABSENT
    return node


def _kind(value: Any) -> str:
    """Name the type of a value of a body."""
    kinds: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _words(error: ValidationError) -> list[RenderFault]:
    schema: Any = error.schema
    wanted: Any = error.validator_value
    found: Any = error.instance
    place = ".".join(f"[{step + 1}]" if isinstance(step, int) else str(step) for step in error.absolute_path)
    place = place.replace(".[", "[")
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        extra = [name for name in found if name not in known]
        where = f"in {place}" if place else "in the body"
        return [
            RenderFault(
                "unknown_field",
                f"The API does not know {name!r} {where}. {did_you_mean(name, known)}".rstrip(),
            )
            for name in extra
        ]
    if error.validator == "required":
        missing = [name for name in wanted if name not in found]
        return [RenderFault("wrapping", f"{place or 'The body'} lacks {name!r} around its value.") for name in missing]
    if error.validator == "type":
        advice = "correct its type in the template"
        if wanted == "object" and "value" in schema.get("properties", {}):
            advice = 'write {"value": ...} around it in the template'
        elif isinstance(found, dict):
            advice = "take the object around it away in the template"
        return [RenderFault("body_type", f"{place} must be a JSON {wanted}, not {_kind(found)}; {advice}.")]
    if error.validator in {"format", "pattern"}:
        kind = schema.get("x-pattern-hint") or {"date": "a date such as 2025-01-27"}.get(str(wanted), str(wanted))
        return [RenderFault("pattern", f"{place}: {error.instance!r} is not {kind}.")]
    return [RenderFault("body", f"{place}: {error.message}.")]
