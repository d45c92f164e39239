"""The endpoint table: what each endpoint is called, where it is sent, what numbers it.

Data only: the rows are `schemas/endpoints.json`, so that another endpoint of the API needs a row there, a request
schema and a template, and no Python.
"""

import json
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from importer import resources

#: Columns of the table that hold several names.
_LISTS: Final = ("identifiers", "needed", "unread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Hold one row of the endpoint table."""

    #: `<resource>.<action>`, as a mapping names it
    name: str
    title: str
    description: str
    resource: str
    action: str
    #: create, update, action or upsert
    kind: str
    method: str
    #: path by API version (`v1`, `v2`)
    path: Dictionary[str, str]
    #: path under which one document is read back
    read_path: str
    #: body field that asks for a number of our own; None where there is none
    number_field: str | None
    #: body field that names the customer
    customer_field: str | None
    #: body field that carries the sender's own reference
    reference_field: str | None
    #: body fields by which the list can be filtered for one record
    identifiers: tuple[str, ...]
    #: body field that takes the lines; None where there are none
    lines: str | None
    #: `operation` written into a line that maps none
    line_operation: str | None
    #: True where `period` writes `postPeriod` and `financialPeriod`
    period: bool
    #: True where the key is the number in the path
    key_in_path: bool
    #: True where sending the same twice leaves what sending once leaves
    repeatable: bool
    #: how a read-back shows that an action was done: `field` leaves these values
    proof: Dictionary[str, Any] | None
    #: True where the operation takes If-Match
    if_match: bool
    #: body fields without which the API refuses the document
    needed: tuple[str, ...]
    #: body fields that the API never reads out
    unread: tuple[str, ...]

    @property
    def creates(self) -> "Endpoint":
        """Return the endpoint that creates what this one is given; of an upsert its resource's own."""
        return table()[f"{self.resource}.create"] if self.kind == "upsert" else self

    @property
    def updates(self) -> "Endpoint":
        """Return the endpoint that changes what this one is given; of an upsert its resource's own."""
        return table()[f"{self.resource}.update"] if self.kind == "upsert" else self

    @property
    def may_create(self) -> bool:
        """Tell whether it can make what is not there yet."""
        return self.creates.kind == "create"

    @property
    def lines_by_number(self) -> bool:
        """Tell whether a line with a number updates that line and one without is inserted."""
        return self.line_operation == "by_number"

    @property
    def versions(self) -> tuple[str, ...]:
        """List the API versions this endpoint has."""
        return tuple(self.path)


@cache
def table() -> Dictionary[str, Endpoint]:
    """Return the endpoints by name, in the table's order."""
    raw = json.loads((resources.schemas() / "endpoints.json").read_text(encoding="utf-8"))
    return {
        name: Endpoint(name=name, **{**row, **{column: tuple(row[column]) for column in _LISTS}})
        for name, row in raw.items()
    }


def creator(name: str) -> str:
    """Return the name of the endpoint by which the journal knows what one creates; that of none is its own."""
    return table()[name].creates.name if name in table() else name
