"""Take a plain body template apart: which value stands where.

A plain template only names values, loops over lists and puts commas between their entries, as the bundled ones do. What
it gives depends on nothing but which values there are. A template that computes, asks or includes has no outline. Pure.
"""

import json
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jinja2 import nodes

from importer.fields import Field
from importer.template import parse_json

#: What marks a value or a loop in the JSON that a template gives without its values.
_MARK: Final = "\x00"
_LOOP: Final = f"{_MARK}loop"
_ENTRY: Final = f"{_MARK}entry"
_COMMA: Final = ","

Members = Dictionary[str, Field]


class NotPlainError(Exception):
    """Say that a template has no outline."""


@dataclass(frozen=True, slots=True)
class Value:
    """Stand for one value: of the document, of one of its lines, or of an entry of a list."""

    #: the variable of the loop that it is an entry's; empty for the document
    variable: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """Stand for the entries of a list."""

    variable: str
    #: the list; None for the lines of the document
    source: Value | None
    entry: "Node"


#: Objects and lists as Python's own, constants as parsed.
Node = Value | Loop | dict[str, Any] | list[Any] | str | int | Any


@dataclass(slots=True)
class Computed:
    """Collect the expressions of a template that do more than name a value."""

    document: list[nodes.Expr] = field(default_factory=list)
    #: those of each line, and the variable of the loop over the lines
    lines: list[nodes.Expr] = field(default_factory=list)
    variable: str = ""


def spot(place: int) -> tuple[str]:
    """Return where a computed value stands among the values of its document or line."""
    return (f"{_MARK}{place}",)


def outline_of(template: nodes.Template, fields: Members, lines: Members, computed: Computed | None = None) -> Node:
    """Return what a template gives, with stand-ins for what it is given.

    What it computes of the document, or of a line, is collected in `computed`; without that, it may compute nothing.

    Raises: NotPlainError.
    """
    reader = _Reader(fields, lines, computed)
    text = reader.text(template.body, {})
    try:
        parsed = parse_json(text)
    except ValueError:
        raise NotPlainError from None
    node = reader.node(parsed)
    if not isinstance(node, dict) or reader.left:
        raise NotPlainError
    return node


class _Reader:
    """Walk one template."""

    def __init__(self, fields: Members, lines: Members, computed: Computed | None) -> None:
        self._fields = fields
        self._lines = lines
        self._computed = computed
        #: the variable of the loop over the lines
        self._line = ""
        self._standing: dict[str, Value | Loop] = {}
        self._loops: dict[str, tuple[str, Value | None]] = {}
        self._seen: set[str] = set()

    @property
    def left(self) -> bool:
        """Tell whether something that the template names stands nowhere in its JSON."""
        return len(self._seen) != len(self._standing) + len(self._loops)

    def text(self, body: Sequence[nodes.Node], scope: dict[str, Members]) -> str:
        """Return the JSON of a part of the template; `scope` holds the members of each loop's entries."""
        parts: list[str] = []
        for node in body:
            if isinstance(node, nodes.Output):
                parts += [self._written(inner, scope) for inner in node.nodes]
            elif isinstance(node, nodes.For):
                parts.append(self._loop(node, scope))
            else:
                raise NotPlainError
        return "".join(parts)

    def _written(self, node: nodes.Node, scope: dict[str, Members]) -> str:
        if isinstance(node, nodes.TemplateData):
            if _MARK in node.data or "\\u0000" in node.data:
                raise NotPlainError
            return node.data
        value = self._named(node, scope) or self._of_expression(node, scope)
        mark = f"{_MARK}{len(self._standing)}"
        self._standing[mark] = value
        return json.dumps(mark)

    def _named(self, node: nodes.Node, scope: dict[str, Members]) -> Value | None:
        """Return the value that is named; None where it is not one of the document, or of the line, that is at hand."""
        try:
            value, field = self._value(node, scope)
        except NotPlainError:
            return None
        if field.members is not None:
            raise NotPlainError
        elsewhere = self._line in scope and not value.variable
        return None if elsewhere and self._computed is not None else value

    def _of_expression(self, node: nodes.Node, scope: dict[str, Members]) -> Value:
        """Return what stands for a value that is computed."""
        computed, variable = self._computed, next(iter(scope), "")
        if computed is None or len(scope) > 1 or variable not in {"", self._line} or not isinstance(node, nodes.Expr):
            raise NotPlainError
        expressions = computed.lines if variable else computed.document
        computed.variable = computed.variable or variable
        expressions.append(node)
        return Value(variable, spot(len(expressions) - 1))

    def _value(self, node: nodes.Node, scope: dict[str, Members]) -> tuple[Value, Field]:
        """Return what a name such as `fields.billingAddress.city` stands for."""
        names: list[str] = []
        while isinstance(node, nodes.Getattr):
            names.insert(0, node.attr)
            node = node.node
        if not isinstance(node, nodes.Name):
            raise NotPlainError
        if node.name in scope:
            variable, members = node.name, scope[node.name]
        elif node.name == "fields":
            variable, members = "", self._fields
        else:
            raise NotPlainError
        field: Field | None = None
        for place, name in enumerate(names):
            inner: Members | None = members if place == 0 else (None if field is None or field.many else field.members)
            if inner is None or name not in inner:
                raise NotPlainError
            field = inner[name]
        if field is None:
            raise NotPlainError
        return Value(variable, tuple(names)), field

    def _loop(self, node: nodes.For, scope: dict[str, Members]) -> str:
        target, source = node.target, node.iter
        if node.else_ or node.test is not None or node.recursive or not isinstance(target, nodes.Name):
            raise NotPlainError
        if target.name in scope or target.name in {"fields", "lines", "loop", "rows", "key", "param"}:
            raise NotPlainError
        listed: Value | None = None
        if isinstance(source, nodes.Name) and source.name == "lines" and not scope:
            members = self._lines
            self._line = target.name
        else:
            listed, field = self._value(source, scope)
            if not field.many or field.members is None:
                raise NotPlainError
            members = field.members
        body = _without_comma(node.body)
        mark = f"{_LOOP}{len(self._loops)}"
        self._loops[mark] = target.name, listed
        entry = self.text(body, {**scope, target.name: members})
        return f"{{{json.dumps(_LOOP)}: {json.dumps(mark)}, {json.dumps(_ENTRY)}: {entry}}}"

    def node(self, parsed: Any) -> Node:
        """Return parsed JSON with stand-ins in place of their marks."""
        if isinstance(parsed, dict):
            if any(name.startswith(_MARK) for name in parsed):
                raise NotPlainError
            return {name: self.node(inner) for name, inner in parsed.items()}
        if isinstance(parsed, list):
            if len(parsed) == 1 and isinstance(parsed[0], dict) and _LOOP in parsed[0]:
                return [self._loop_of(parsed[0])]
            return [self.node(inner) for inner in parsed]
        if isinstance(parsed, str) and parsed.startswith(_MARK):
            if parsed not in self._standing:
                raise NotPlainError
            self._seen.add(parsed)
            return self._standing[parsed]
        return parsed

    def _loop_of(self, parsed: dict[str, Any]) -> Loop:
        mark = parsed[_LOOP]
        variable, source = self._loops[mark]
        self._seen.add(mark)
        return Loop(variable, source, self.node(parsed[_ENTRY]))


def _without_comma(body: list[nodes.Node]) -> list[nodes.Node]:
    """Take the comma off that stands behind each entry but the last.

    Raises: NotPlainError where it is missing, so that entries would not form a list.
    """
    rest = list(body)
    while rest and isinstance(rest[-1], nodes.Output) and all(_blank(inner) for inner in rest[-1].nodes):
        rest.pop()
    last = rest.pop() if rest else None
    if not isinstance(last, nodes.If) or last.elif_ or last.else_:
        raise NotPlainError
    test, then = last.test, last.body
    asks = isinstance(test, nodes.Not) and isinstance(test.node, nodes.Getattr) and test.node.attr == "last"
    inner = test.node.node if asks else None  # type: ignore[attr-defined]
    if not isinstance(inner, nodes.Name) or inner.name != "loop" or len(then) != 1:
        raise NotPlainError
    said = then[0].nodes if isinstance(then[0], nodes.Output) else []
    text = "".join(part.data for part in said if isinstance(part, nodes.TemplateData))
    if text.strip() != _COMMA or not all(isinstance(part, nodes.TemplateData) for part in said):
        raise NotPlainError
    return rest


def _blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()
