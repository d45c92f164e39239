"""Hold together what every request needs: the store, the tables, the settings and the clock."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from importer.sandbox.bodies import value
from importer.sandbox.catalog import Catalog, Resource
from importer.sandbox.company import Company
from importer.sandbox.settings import Settings
from importer.sandbox.store import Store, Stored


@dataclass(frozen=True, slots=True)
class World:
    """Hold the parts of one sandbox that requests work on."""

    store: Store
    catalog: Catalog
    company: Company
    settings: Settings
    clock: Callable[[], float]

    def moment(self, back_s: float = 0) -> str:
        """Return the clock's time as reads show it, or that many seconds earlier."""
        now = datetime.fromtimestamp(self.clock() - back_s, UTC).replace(tzinfo=None)
        return now.isoformat(timespec="milliseconds")

    def party(self, resource: Resource, body: dict[str, Any]) -> Stored | None:
        """Return the customer that a document names, if it exists."""
        number = value(body, resource.party.field) if resource.party else None
        if resource.party is None or not number:
            return None
        return self.store.find(resource.party.resource, number)


def new_id() -> str:
    """Return a new id, as actions and background requests carry it."""
    return str(uuid.uuid4())
