"""Compute what a body template computes, apart from the rest of it, which is filled in. Pure."""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from typing import Any, Final

from jinja2 import nodes

from importer.expression import RUNTIME_ERRORS
from importer.filling import UnsureError
from importer.outline import Computed, spot
from importer.remembered import Flat
from importer.template import BodyTemplate, is_absent, parse_json

#: Longer texts may be refused.
_MOST: Final = 1_000_000
#: Stands behind all that is computed, so that each value may have a comma behind it.
_END: Final = "0"


class Computing:
    """Compute the values that a template computes, by a template of these alone."""

    def __init__(self, template: BodyTemplate, computed: Computed) -> None:
        self._computed = computed
        self._template = template.with_body(_tree(computed))

    def add(self, values: Dictionary[str, Any], fields: Flat, lines: Sequence[Flat]) -> tuple[Flat, list[Flat]]:
        """Return fields and lines with what is computed of the `values` that the template is given.

        Raises: UnsureError where only the template can tell.
        """
        try:
            text = self._template.render(values)
            found = parse_json(text) if len(text) <= _MOST else []
        except (*RUNTIME_ERRORS, ValueError):
            raise UnsureError from None
        # behind the document's values stand those of the lines, and behind these the end
        document, of_lines = found[:-2], found[-2][:-1] if found else []
        if len(document) != len(self._computed.document) or len(of_lines) != len(lines):
            raise UnsureError
        return _with(fields, document), [_with(line, own[:-1]) for line, own in zip(lines, of_lines, strict=True)]


def _with(flat: Flat, computed: Sequence[Any]) -> Flat:
    """Return values with those that were computed, each at its place.

    Raises: UnsureError where one is a list or an object.
    """
    if any(isinstance(value, list | dict) for value in computed):
        raise UnsureError
    return {**flat, **{spot(place): value for place, value in enumerate(computed) if not is_absent(value)}}


def _tree(computed: Computed) -> nodes.Template:
    """Return the template that writes everything computed as one list; in it, a list for each line."""
    body: list[nodes.Node] = [_text("["), *map(_value, computed.document), _text("[")]
    target, source = nodes.Name(computed.variable or "line", "store"), nodes.Name("lines", "load")
    entry: list[nodes.Node] = [_text("["), *map(_value, computed.lines), _text(f"{_END}],")]
    body += [nodes.For(target, source, entry, [], None, False), _text(f"{_END}],{_END}]")]
    return nodes.Template(body)


def _value(expression: nodes.Expr) -> nodes.Output:
    return nodes.Output([expression, nodes.TemplateData(",")])


def _text(text: str) -> nodes.Output:
    return nodes.Output([nodes.TemplateData(text)])
