"""Note what updates replace, so that it can be put back. Pure.

Each update keeps the values of the fields that it sends, as the API read them out just before; and of the fields that
other updates of the same run send, so that a table of all of them has no gap that could be taken for an empty value.
"""

import json
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from importer.compare import held
from importer.endpoints import Endpoint
from importer.fields import Field, fields_of
from importer.jsontext import write_json
from importer.model import Document

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Hold what the API had before an update, by the fields' names as people write them; None where it was empty."""

    replaced: Dictionary[str, Any] = field(default_factory=dict)
    #: of fields that this update does not send, but others of its run do
    kept: Dictionary[str, Any] = field(default_factory=dict)

    def dump(self) -> str:
        """Write it as JSON, numbers exactly as they are."""
        return write_json({"replaced": dict(self.replaced), "kept": dict(self.kept)})

    @classmethod
    def load(cls, text: str | None) -> "Before":
        """Read it back."""
        return cls(**json.loads(text, parse_float=Decimal)) if text else cls()


def parsed(body: bytes) -> Item:
    """Return a body as data with exact numbers."""
    data: Item = json.loads(body, parse_float=Decimal) if body else {}
    return data


def sent_values(endpoint: Endpoint, body: bytes) -> dict[str, Any]:
    """Return what a body sends, by the fields' names; lists whole."""
    return {".".join(path): value for path, value in _leaves(fields_of(endpoint.name), parsed(body))}


def _leaves(fields: Dictionary[str, Field], body: Item, place: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for name, value in body.items():
        inner = value["value"] if fields[name].wrapped else value
        members = fields[name].members
        if members is None or fields[name].many:
            yield (*place, name), inner
        else:
            yield from _leaves(members, inner, (*place, name))


def with_before(endpoint: Endpoint, updates: Sequence[tuple[Document, Item]]) -> list[Document]:
    """Return updates, given with what the API holds of each, with what they replace."""
    fields = fields_of(endpoint.name)
    sent = [sent_values(endpoint, document.body) for document, _ in updates]
    columns = dict.fromkeys(name for names in sent for name in names)
    found = []
    for (document, read), names in zip(updates, sent, strict=True):
        values = {name: held(fields, tuple(name.split(".")), read) for name in columns}
        before = Before(
            replaced={name: value for name, value in values.items() if name in names},
            kept={name: value for name, value in values.items() if name not in names},
        )
        found.append(replace(document, before=before.dump()))
    return found


def difference(endpoint: Endpoint, document: Document) -> str:
    """Say field by field what an update changes, the old value and the new one; empty where nothing was noted."""
    if not document.before:
        return ""
    before = Before.load(document.before)
    sent = sent_values(endpoint, document.body)
    return ", ".join(f"{name} {_shown(old)} -> {_shown(sent.get(name))}" for name, old in before.replaced.items())


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    if value is None or value == "":
        return "empty"
    return repr(value) if isinstance(value, str) else write_json(value)
