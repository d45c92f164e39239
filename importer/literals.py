"""Read a value typed in a mapping or on the command line: a decimal point and no grouping, whatever the locale."""

import re
from datetime import date
from decimal import Decimal

from importer.fields import Field, Kind
from importer.model import Fault, FieldValue
from importer.rules import check_rules
from importer.values import Options

_BOOLEANS = {"true": True, "false": False}


def literal(text: str, kind: Kind, options: Options | None = None) -> FieldValue | Fault:
    """Return what a typed value means for a field of this kind, or the fault that says how to write it."""
    options = options or Options(field=Field(name="value", description="", kind=kind), kind=kind)
    value = _read(text, kind, options)
    if isinstance(value, Fault) or options.codes:
        return value
    return check_rules(value, options.field, options.pattern)


def _read(text: str, kind: Kind, options: Options) -> FieldValue | Fault:
    bare = text.strip()
    if kind in {Kind.TEXT, Kind.UUID}:
        return text
    if kind is Kind.BOOLEAN:
        if bare.lower() in _BOOLEANS:
            return _BOOLEANS[bare.lower()]
        return Fault("literal", text, f"{text!r} is neither true nor false.")
    if kind in {Kind.DATE, Kind.DATETIME}:
        return _date(bare, options)
    if not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", bare):
        return Fault(
            "literal",
            text,
            f"{text!r} is not a number as it is written here: a decimal point and no grouping.",
        )
    number = Decimal(bare)
    if kind is Kind.DECIMAL:
        return number
    if number != number.to_integral_value():
        return Fault("literal", text, f"{text!r} is not a whole number.")
    return int(number)


def _date(text: str, options: Options) -> FieldValue | Fault:
    day = options.date_format.parse(text) if options.date_format else None
    if isinstance(day, date):
        return day
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
    except ValueError:
        return Fault("literal", text, f"{text!r} is not a day that exists.")
    return Fault("literal", text, f"{text!r} is not a date as it is written here, such as 2025-01-27.")
