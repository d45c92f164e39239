"""Turn a stored document into what a read answers: nothing wrapped, references as objects, totals."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from importer.sandbox.bodies import content, value
from importer.sandbox.catalog import Catalog, Fields, Resource
from importer.sandbox.store import Stored

_CENT = Decimal("0.01")
_NOTHING = Decimal("0.00")


def read_one(catalog: Catalog, resource: Resource, stored: Stored, party: Stored | None) -> dict[str, Any]:
    """Return the read form of a document or record."""
    found = _read(catalog, resource.body, stored.body)
    found[resource.number] = stored.number
    found["status"] = stored.status
    if resource.is_document:
        _add_document_parts(resource, stored, found)
    else:
        found["internalId"] = stored.id
    if resource.party and party:
        reference = resource.body[resource.party.field].read or ()
        _put(found, (*reference[:-1], "name"), value(party.body, "name"))
    found["createdDateTime"] = stored.created
    found["lastModifiedDateTime"] = stored.modified
    found["timeStamp"] = stored.stamp
    return found


def _add_document_parts(resource: Resource, stored: Stored, found: dict[str, Any]) -> None:
    """Add what only documents have: type, periods as YYYYMM, amounts, parts that lists leave out."""
    found["documentType"] = resource.document_type
    found["postPeriod"] = found["financialPeriod"]
    found.setdefault("hold", False)
    lines = resource.lines or ""
    total = _NOTHING
    rate = Decimal(value(stored.body, "exchangeRate") or 1)
    taxable: dict[str, Decimal] = {}
    for line, shown in zip(stored.body.get(lines, []), found.get(lines, []), strict=True):
        amount = _amount(line)
        total += amount
        _amounts(shown, "amount", amount, rate)
        _amounts(shown, "unitPrice", Decimal(value(line, "unitPriceInCurrency") or 0), rate, cents=False)
        if code := value(line, "vatCodeId"):
            taxable[code] = taxable.get(code, _NOTHING) + amount
    for name in ("amount", "balance", "detailTotal"):
        _amounts(found, name, total, rate)
    for name in ("vatTotal", "discountTotal"):
        _amounts(found, name, _NOTHING, rate)
    computed = [
        {
            "taxId": code,
            "vatId": {"number": code},
            "vatRate": _NOTHING,
            "taxableAmount": part,
            "vatAmount": _NOTHING,
        }
        for code, part in taxable.items()
    ]
    found["taxDetails"] = found.get("taxDetails") or computed
    found.setdefault("applications", [])
    found["attachments"] = []
    found["dunningLetterLevel"] = 0


def _amount(line: Mapping[str, Any]) -> Decimal:
    """Return a line's amount: the one given, or quantity by price less discount, to the cent."""
    with localcontext(prec=80):
        manual = value(line, "manualAmountInCurrency")
        if manual is not None:
            return Decimal(manual).quantize(_CENT, ROUND_HALF_UP)
        gross = Decimal(value(line, "quantity") or 0) * Decimal(value(line, "unitPriceInCurrency") or 0)
        discount = value(line, "discountAmountInCurrency")
        if discount is None:
            discount = gross * Decimal(value(line, "discountPercent") or 0) / 100
        return (gross - Decimal(discount)).quantize(_CENT, ROUND_HALF_UP)


def _amounts(found: dict[str, Any], name: str, amount: Decimal, rate: Decimal, *, cents: bool = True) -> None:
    """Write an amount in the document's currency and in the company's."""
    with localcontext(prec=80):
        own = amount if rate == 1 else amount * rate
        found[name] = own.quantize(_CENT, ROUND_HALF_UP) if cents else own
    found[f"{name}InCurrency"] = amount


def _read(catalog: Catalog, fields: Fields, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the read form of one object."""
    found: dict[str, Any] = {}
    for name, stored in body.items():
        spec = fields[name]
        if spec.read is None:
            continue
        inner = content(spec, stored)
        if spec.shape == "object":
            inner = _read(catalog, catalog.types[spec.kind], inner)
        elif spec.shape == "list":
            inner = [_read(catalog, catalog.types[spec.kind], entry) for entry in inner]
        elif spec.kind == "date":
            inner = f"{inner[:10]}T{inner[11:19] or '00:00:00'}"
        _put(found, spec.read, inner)
    return found


def _put(found: dict[str, Any], path: tuple[str, ...], inner: Any) -> None:
    """Write a value at a path, the objects on the way made."""
    for name in path[:-1]:
        found = found.setdefault(name, {})
    found[path[-1]] = inner
