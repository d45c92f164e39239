"""Fill in the body of a document by the outline of its template, without rendering the template again. Pure.

Each combination of values that are there is worked out once (a shape), and filled in for every document that has it.
The texts are the very ones that rendering gives. Where the endpoint's schema may refuse something there is no answer:
the template is rendered then, and its faults are worded.
"""

import json
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Final

from importer.jsontext import canonical, plain, write_json
from importer.model import FieldValue
from importer.outline import Loop, Node, Value
from importer.remembered import Flat
from importer.request_schema import is_valid, request_schema
from importer.template import Rendered, parse_json, to_json
from importer.yamlfile import Step

Target = tuple[Step, ...]
#: Longer bodies and numbers may be refused.
_MAX_BODY: Final = 1_000_000
_MAX_DIGITS: Final = 4_000
#: How many values of a field, and how many shapes, are remembered.
_MOST: Final = 20_000
_OPERATION: Final = "operation"
#: What a schema says of an object or a list, so that each value in it can be judged by itself.
_KNOWN: Final = frozenset(
    {"$schema", "title", "description", "type", "properties", "additionalProperties", "required", "items"}
)


class UnsureError(Exception):
    """Say that there is no quick answer."""


#: A value, a line or a whole body as it is sent, as it stands in the canonical body, and as data: None for data that is
#: not as simple as that, and is quicker read from the text.
_Text = tuple[str, str, Any]
_NO_LINES: Final[_Text] = ("", "", None)


class Filling:
    """Fill in the bodies of one template for one endpoint."""

    def __init__(self, outline: Node, endpoint: str) -> None:
        """Take the outline of a template.

        Raises: UnsureError where it has several loops over the lines.
        """
        self._outline = outline
        self._schema = request_schema(endpoint)
        self._judges: dict[int, _Judge] = {}
        #: the loop over the lines with the schema of a line; None where the template has none
        self._lines = _lines_in(outline, self._schema)
        self._shapes: dict[tuple[tuple[Target, ...], bool], _Shape] = {}
        self._line_shapes: dict[tuple[Target, ...], _Shape] = {}
        #: how many shapes were worked out so far
        self.shapes = 0

    def fill(self, fields: Flat, lines: Sequence[Flat]) -> Rendered:
        """Return the body of a document.

        Raises: UnsureError where only the template can tell.
        """
        written = self._written(self._lines, lines) if self._lines else []
        joined = _joined(written) if written else _NO_LINES
        spot = tuple(fields), bool(written)
        shape = self._shapes.get(spot) or self._shape(spot)
        body, canonical_body, data = shape.fill(fields, joined)
        if len(body) > _MAX_BODY or "\\u0000" in body:
            raise UnsureError
        if data is None or (written and joined[2] is None):
            data = json.loads(body, parse_float=Decimal)
        return Rendered(data, body.encode(), sha256(canonical_body.encode()).hexdigest())

    def _written(self, loop: tuple[Loop, dict[str, Any]], lines: Sequence[Flat]) -> list[_Text]:
        written: list[_Text] = []
        for line in lines:
            spot = tuple(line)
            shape = self._line_shapes.get(spot) or self._line_shape(loop, spot)
            if shape is not _NOTHING:
                written.append(shape.fill(line, _NO_LINES))
        return written

    def _shape(self, spot: tuple[tuple[Target, ...], bool]) -> "_Shape":
        scope = _Scope(self._judges, frozenset(spot[0]), "", lines=spot[1])
        _make_room(self._shapes)
        self._shapes[spot] = made = scope.shape(self._outline, self._schema) or _EMPTY
        self.shapes += 1
        return made

    def _line_shape(self, loop: tuple[Loop, dict[str, Any]], spot: tuple[Target, ...]) -> "_Shape":
        line, schema = loop
        scope = _Scope(self._judges, frozenset(spot), line.variable, lines=False)
        _make_room(self._line_shapes)
        self._line_shapes[spot] = made = scope.shape(line.entry, schema) or _NOTHING
        self.shapes += 1
        return made


class _Judge:
    """Judge the values of one field by its schema, and write them as JSON."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        #: true where a value is right or wrong by its type alone
        self._by_type = not set(schema) - {"type", "description"}
        self._types: set[type] = set()
        self._right: set[tuple[type, FieldValue]] = set()
        self._texts: dict[tuple[type, FieldValue], _Text] = {}

    def write(self, value: FieldValue) -> _Text:
        """Return a value as it is written.

        Raises: UnsureError where the schema may refuse it.
        """
        kind = type(value)
        if kind not in self._types and (kind is Decimal or (kind, value) not in self._right):
            self._learn(kind, value)
        if isinstance(value, str):
            text = value if kind is str else str(value)
            return (encode_basestring(text), encode_basestring_ascii(text), text)
        if isinstance(value, Decimal):
            text = plain(value)
            if len(text) > _MAX_DIGITS:
                raise UnsureError
            if "." in text:
                return text, text.rstrip("0").rstrip("."), value or Decimal(text)
            return (text, text, int(text))
        found = self._texts.get((kind, value))
        if found is None:
            _make_room(self._texts)
            text = to_json(value)
            data = parse_json(text)
            found = self._texts[kind, value] = (text, canonical(data), data)
        return found

    def constant(self, value: Any) -> tuple[str, str]:
        """Return a constant of the template, parsed, as it is sent and as it stands in the canonical body.

        Raises: UnsureError.
        """
        if not is_valid(self._schema, value):
            raise UnsureError
        return write_json(value), canonical(value)

    def _learn(self, kind: type, value: FieldValue) -> None:
        if not is_valid(self._schema, parse_json(to_json(value))):
            raise UnsureError
        if kind is Decimal:
            # what is sent as 5 is a whole number, and 5.0 is none
            if self._by_type and is_valid(self._schema, 1) and is_valid(self._schema, Decimal("1.5")):
                self._types.add(kind)
        elif self._by_type:
            self._types.add(kind)
        else:
            _make_room(self._right)
            self._right.add((kind, value))


def _make_room(kept: dict[Any, Any] | set[Any]) -> None:
    if len(kept) >= _MOST:
        kept.clear()


#: What stands at a place of a shape: a value of the document or line, or, without a judge, its lines.
_Slot = tuple[Target, _Judge | None]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Hold how a body, or a line of one, is written that has certain values."""

    #: both with a place for each value
    body: str
    canonical: str
    #: what stands at the places of the body, in its order
    slots: tuple[_Slot, ...]
    #: which of them stands at each place of the canonical text
    order: tuple[int, ...]

    #: the members with what they hold; None where it is not as simple as a value each
    members: "tuple[_Member, ...] | None"

    def fill(self, values: Flat, lines: "_Text") -> "_Text":
        """Return it filled in."""
        if not self.slots:
            return self.body, self.canonical, None
        texts = [lines if judge is None else judge.write(values[target]) for target, judge in self.slots]
        sent, same, data = zip(*texts, strict=True)
        body, other = self.body % sent, self.canonical % tuple([same[place] for place in self.order])
        if self.members is None:
            return body, other, None
        found: dict[str, Any] = {}
        for name, spot, wrapped, constant in self.members:
            inner = constant if spot is None else data[spot]
            found[name] = {"value": inner} if wrapped else inner
        return body, other, found


#: A member of a body or line: its name, the place that it holds, whether `value` stands around that, or its constant.
_Member = tuple[str, int | None, bool, Any]
#: Of a body, and of a line, of which nothing is left.
_EMPTY: Final = _Shape("{}", "{}", (), (), None)
_NOTHING: Final = _Shape("", "", (), (), None)
#: A text with places of slots, in two orders: as it is sent, and canonical.
_Pieces = tuple[list[str | _Slot], list[str | _Slot]]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Work a shape out."""

    judges: dict[int, _Judge]
    #: the values that are there
    present: frozenset[Target]
    #: the variable that they belong to; empty for the document
    variable: str
    #: true where the document has lines
    lines: bool

    def shape(self, node: Node, schema: dict[str, Any]) -> _Shape | None:
        """Return the shape of a node; None where nothing of it is left.

        Raises: UnsureError.
        """
        pieces = self._pieces(node, schema, {self.variable: ()})
        if pieces is None:
            return None
        body, other = pieces
        slots = [piece for piece in body if not isinstance(piece, str)]
        order = [slots.index(piece) for piece in other if not isinstance(piece, str)]
        return _Shape(_format(body), _format(other), tuple(slots), tuple(order), self._members(node, schema, slots))

    def _members(self, node: Node, schema: dict[str, Any], slots: list[_Slot]) -> tuple[_Member, ...] | None:
        """Return what the members of a body or line hold; None where that is not as simple as a value each."""
        if not isinstance(node, dict):
            return None
        targets = [target for target, _ in slots]
        found: list[_Member] = []
        for name, member in node.items():
            wrapped = isinstance(member, dict) and list(member) == ["value"]
            inner = member["value"] if wrapped else member
            if isinstance(inner, Value):
                if inner.path in targets:
                    found.append((name, targets.index(inner.path), wrapped, None))
                elif inner.path == (_OPERATION,) and self.variable:
                    found.append((name, None, wrapped, "Insert"))
            elif isinstance(inner, list) and inner and isinstance(inner[0], Loop) and inner[0].source is None:
                found += [(name, targets.index(()), wrapped, None)] if self.lines else []
            elif self._pieces(member, schema["properties"].get(name, _REFUSED), {self.variable: ()}) is not None:
                return None
        return tuple(found)

    def _pieces(self, node: Node, schema: dict[str, Any], places: Dictionary[str, Target]) -> _Pieces | None:
        if isinstance(node, Value):
            return self._value(node, schema, places)
        if isinstance(node, dict | list) and not node:
            return None
        if isinstance(node, dict):
            return self._object(node, schema, places)
        if isinstance(node, list):
            return self._list(node, schema, places)
        text, same = self._judge(schema).constant(node)
        return [text], [same]

    def _value(self, node: Value, schema: dict[str, Any], places: Dictionary[str, Target]) -> _Pieces | None:
        if node.variable not in places:
            raise UnsureError
        target = (*places[node.variable], *node.path)
        if target in self.present:
            slot = (target, self._judge(schema))
            return [slot], [slot]
        if node.path == (_OPERATION,) and node.variable:
            text, same = self._judge(schema).constant("Insert")
            return [text], [same]
        return None

    def _object(self, node: dict[str, Any], schema: dict[str, Any], places: Dictionary[str, Target]) -> _Pieces | None:
        known = schema.get("properties", {})
        members: dict[str, _Pieces] = {}
        for name, inner in node.items():
            # what the schema does not know is refused once it is there
            pieces = self._pieces(inner, known.get(name, _REFUSED), places)
            if pieces is not None:
                members[name] = pieces
        if not members:
            return None
        if schema.get("type") != "object" or set(schema) - _KNOWN or set(schema.get("required", ())) - set(members):
            raise UnsureError
        body: list[str | _Slot] = []
        for name, (sent, _) in members.items():
            body += [f"{', ' if body else '{'}{json.dumps(name, ensure_ascii=False)}: ", *sent]
        other: list[str | _Slot] = []
        for name in sorted(members):
            other += [f"{',' if other else '{'}{json.dumps(name)}:", *members[name][1]]
        return [*body, "}"], [*other, "}"]

    def _list(self, node: list[Any], schema: dict[str, Any], places: Dictionary[str, Target]) -> _Pieces | None:
        body: list[str | _Slot] = []
        other: list[str | _Slot] = []
        if isinstance(node[0], Loop) and node[0].source is None:
            slot: _Slot = ((), None)
            body, other = (["[", slot], ["[", slot]) if self.lines else ([], [])
        else:
            entries = [(one, places) for one in node]
            if isinstance(node[0], Loop) and node[0].source is not None:
                entries = self._entries(node[0].entry, node[0].variable, node[0].source, places)
            found = [self._pieces(inner, schema.get("items", _REFUSED), where) for inner, where in entries]
            for pieces in filter(None, found):
                body += [", " if body else "[", *pieces[0]]
                other += ["," if other else "[", *pieces[1]]
        if not body:
            return None
        if schema.get("type") != "array" or set(schema) - _KNOWN or "items" not in schema:
            raise UnsureError
        return [*body, "]"], [*other, "]"]

    def _entries(
        self, entry: Node, variable: str, source: Value, places: Dictionary[str, Target]
    ) -> list[tuple[Node, Dictionary[str, Target]]]:
        """Return the entry of a loop for each entry that has values, with where these stand."""
        if source.variable not in places:
            raise UnsureError
        at = (*places[source.variable], *source.path)
        size = len(at)
        spots = {target[size] for target in self.present if target[:size] == at and len(target) > size + 1}
        return [(entry, {**places, variable: (*at, spot)}) for spot in sorted(spots, key=int)]

    def _judge(self, schema: dict[str, Any]) -> _Judge:
        if schema is _REFUSED:
            raise UnsureError
        return self.judges.setdefault(id(schema), _Judge(schema))


#: Stands for the schema of a name that the endpoint does not know.
_REFUSED: Final[dict[str, Any]] = {"type": "nothing"}


def _joined(lines: list[_Text]) -> _Text:
    """Return the lines of a document as one text."""
    sent, same, data = zip(*lines, strict=True)
    return ", ".join(sent), ",".join(same), None if None in data else list(data)


def _format(pieces: Sequence[str | _Slot]) -> str:
    return "".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces)


def _lines_in(node: Node, schema: dict[str, Any]) -> tuple[Loop, dict[str, Any]] | None:
    """Return the loop over the lines with the schema of a line; None where the template has none.

    Raises: UnsureError where it has two, or names them where the endpoint has none.
    """
    found: list[tuple[Loop, dict[str, Any]]] = []

    def walk(inner: Node, known: dict[str, Any]) -> None:
        if isinstance(inner, dict):
            for name, member in inner.items():
                walk(member, known.get("properties", {}).get(name, {}))
        elif isinstance(inner, list):
            for entry in inner:
                if isinstance(entry, Loop) and entry.source is None:
                    found.append((entry, known.get("items", {})))
                elif isinstance(entry, Loop):
                    walk(entry.entry, known.get("items", {}))
                else:
                    walk(entry, known.get("items", {}))

    walk(node, schema)
    if len(found) > 1:
        raise UnsureError
    return found[0] if found else None
