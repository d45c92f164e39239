"""What the tests of values and of locales share: one cell taken by one field."""

from datetime import date
from typing import Any

from importer.fields import Field, Kind
from importer.locales import Locale, locale
from importer.model import Fault, FieldValue
from importer.values import Options, cell_value, convert

DAY = date(2025, 1, 27)


def where(name: str | None) -> Locale | None:
    return locale(name) if name else None


def field(
    cell: Any, kind: Kind, name: str | None = None, form: str | None = None, **options: Any
) -> FieldValue | Fault:
    """Return what a field of a kind takes from a cell, in a locale and under the cell's number format."""
    spec = Field(name="it", description="", kind=kind)
    return convert(cell_value(cell, form), Options(field=spec, kind=kind, **options), where(name), form)


def code(result: object) -> str:
    """Return the code of a fault, or the value where there is none, so that a failure shows it."""
    return result.code if isinstance(result, Fault) else f"not refused: {result!r}"
