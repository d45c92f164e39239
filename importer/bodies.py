"""Make the body of a document: filled in by the outline of its template, or rendered where only that can tell. Pure."""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from typing import Any

from importer.computing import Computing
from importer.convert import RowValues
from importer.expression import row_view
from importer.fields import Field, fields_of
from importer.filling import Filling, UnsureError
from importer.mapping import Mapping
from importer.model import ABSENT, FieldValue, Reference, Row
from importer.outline import Computed, NotPlainError, outline_of
from importer.remembered import Flat
from importer.template import BodyTemplate, Rendered, RenderFault
from importer.yamlfile import Step


class Bodies:
    """Make the bodies of one mapping."""

    def __init__(self, mapping: Mapping, param: Dictionary[str, Any], headers: tuple[str | None, ...]) -> None:
        """Compile the mapping's template; `headers` are those of the sheet.

        Raises: MappingError when the template cannot be used.
        """
        self.template = BodyTemplate(mapping)
        self._param = param
        self._headers = headers
        members = dict(fields_of(mapping.endpoint.name))
        self._line_members: Dictionary[str, Field] = {}
        if mapping.endpoint.lines:
            self._line_members = members.pop(mapping.endpoint.lines).members or {}
        self._members = members
        self._filling: Filling | None = None
        self._computing: Computing | None = None
        computed = Computed()
        try:
            outline = outline_of(self.template.parsed(), members, self._line_members, computed)
            self._filling = Filling(outline, mapping.endpoint.name)
        except (NotPlainError, UnsureError, RecursionError):
            return
        if computed.document or computed.lines:
            self._computing = Computing(self.template, computed)

    @property
    def any_fields(self) -> bool:
        """Tell whether the endpoint takes a body at all."""
        return bool(self._members or self._line_members)

    def make(
        self, key: str | None, rows: Sequence[RowValues], others: Dictionary[Reference, FieldValue] | None = None
    ) -> Rendered | list[RenderFault]:
        """Return the body of the document of these rows, or everything that is wrong with it.

        `others` stand in place of references.
        """
        if self._filling is None or others:
            return self._rendered(key, rows, others or {})
        known = self._filling.shapes
        fields, lines = rows[0].fields, [row.line for row in rows if row.line is not None]
        try:
            if self._computing is not None:
                fields, lines = self._computing.add(self._values(key, rows, {}), fields, lines)
            filled = self._filling.fill(fields, lines)
        except UnsureError:
            return self._rendered(key, rows, {})
        if self._filling.shapes == known or self.template.bundled:
            return filled
        # of a template of the user's own, the first document of each shape shows that both ways agree
        rendered = self._rendered(key, rows, {})
        if rendered != filled:
            self._filling = None
        return rendered

    def _rendered(
        self, key: str | None, rows: Sequence[RowValues], others: Dictionary[Reference, FieldValue]
    ) -> Rendered | list[RenderFault]:
        return self.template.render(self._values(key, rows, others))

    def _values(
        self, key: str | None, rows: Sequence[RowValues], others: Dictionary[Reference, FieldValue]
    ) -> dict[str, Any]:
        """Return what the template is given."""
        lines = [_with(row.line, others) for row in rows if row.line is not None]
        return {
            "fields": _tree(self._members, _with(rows[0].fields, others)),
            "lines": [_line_tree(self._line_members, line) for line in lines],
            "rows": [self._row(row.row) for row in rows],
            "key": key,
            "param": self._param,
        }

    def _row(self, row: Row) -> Dictionary[str, Any]:
        return row_view(self._headers, row.cells, blank_is_text=False, number=row.number, formats=row.formats)


def _with(flat: Flat, others: Dictionary[Reference, FieldValue]) -> Flat:
    if not others:
        return flat
    return {spot: others[value] if isinstance(value, Reference) else value for spot, value in flat.items()}


def _tree(members: Dictionary[str, Field], flat: Flat, prefix: tuple[Step, ...] = ()) -> dict[str, Any]:
    """Return the values as templates see them: every name of the body is there, what is not mapped is ABSENT."""
    size = len(prefix)
    touched: dict[Step, set[Step]] = {}
    for target in flat:
        if target[:size] == prefix and len(target) > size + 1:
            touched.setdefault(target[size], set()).add(target[size + 1])
    result: dict[str, Any] = {}
    for name, spec in members.items():
        here = (*prefix, name)
        if spec.members is None:
            result[name] = flat.get(here, ABSENT)
        elif spec.many:
            spots = sorted(step for step in touched.get(name, ()) if isinstance(step, int))
            result[name] = [_with_operation(_tree(spec.members, flat, (*here, spot))) for spot in spots]
        else:
            result[name] = _tree(spec.members, flat, here) if name in touched else _tree(spec.members, {}, here)
    return result


def _with_operation(entry: dict[str, Any]) -> dict[str, Any]:
    """Give an entry of a list its `operation`, where it has one and the mapping does not say another."""
    if entry.get("operation", "") is ABSENT:
        entry["operation"] = "Insert"
    return entry


def _line_tree(members: Dictionary[str, Field], flat: Flat) -> dict[str, Any]:
    """Return one line as templates see it, with its `operation`."""
    return _with_operation(_tree(members, flat))
