"""What a document in the API must look like to be the one that was sent. Pure.

It is kept in the journal beside the attempt, since a doubtful attempt is looked for later, perhaps without the
workbook. A name is kept as a fingerprint only.
"""

import hashlib
import json
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

from importer.endpoints import Endpoint
from importer.jsontext import plain

_DISCOUNTS: Final = ("discountPercent", "discountAmountInCurrency", "discountCode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Hold what identifies a document that was sent, and what it must agree with."""

    #: the number that was asked for
    number: str | None = None
    #: True where the body says that the series takes it
    overrides: bool = False
    reference: str | None = None
    customer: str | None = None
    #: `2025-01-27`
    day: str | None = None
    currency: str | None = None
    lines: int | None = None
    #: net amount in the document's currency, where the body tells it; plain digits
    amount: str | None = None
    #: SHA-256 of the name of a customer
    name: str | None = None
    #: values by filter of the list, such as corporateId
    identifiers: Dictionary[str, str] = field(default_factory=dict)

    @property
    def searchable(self) -> bool:
        """Tell whether it has anything that a look-up can search for."""
        return bool(self.number or (self.reference and self.customer) or self.identifiers)

    def dump(self) -> str:
        """Write it as JSON."""
        parts = [f'"{name}": {_json(value)}' for name in self.__slots__ if (value := getattr(self, name))]
        return f"{{{', '.join(parts)}}}"

    @classmethod
    def load(cls, text: str | None) -> "Expectation":
        """Read it back."""
        return cls(**json.loads(text)) if text else cls()


def _json(value: object) -> str:
    """Write a value as JSON; texts without the way about an encoder, which takes longer than the rest."""
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def can_be_searched(text: str) -> bool:
    """Tell of an expectation, as it is written down, whether a look-up can search for it.

    A quote within a value is written with a backslash, so that no value looks like a name.
    """
    return '"number": ' in text or '"identifiers": ' in text or ('"reference": ' in text and '"customer": ' in text)


def below_nothing(text: str) -> bool:
    """Tell of an expectation, as it is written down, whether its amount is below zero."""
    return '"amount": "-' in text


def expectation(endpoint: Endpoint, body: Dictionary[str, Any]) -> Expectation:
    """Return what a body, once it was accepted, is known by."""
    lines = body.get(endpoint.lines, []) if endpoint.lines else None
    is_document = endpoint.lines is not None
    return Expectation(
        number=text_of(body, endpoint.number_field),
        overrides=_inner(body, "overrideNumberSeries") is True,
        reference=text_of(body, endpoint.reference_field),
        customer=text_of(body, endpoint.customer_field) if is_document else None,
        day=(text_of(body, "documentDate") or "")[:10] or None,
        currency=text_of(body, "currencyId") if is_document else None,
        lines=None if lines is None else len(lines),
        amount=_amount(lines) if lines else None,
        name=None if is_document else _digest(text_of(body, "name")),
        identifiers={name: value for name in endpoint.identifiers if (value := text_of(body, name))},
    )


def _inner(body: Dictionary[str, Any], name: str) -> Any:
    found = body.get(name)
    return found.get("value") if isinstance(found, dict) else found


def text_of(body: Dictionary[str, Any], name: str | None) -> str | None:
    """Return a text of a body, wrapped or not; None where it holds none."""
    found = _inner(body, name) if name else None
    return found if isinstance(found, str) and found else None


def _digest(name: str | None) -> str | None:
    return hashlib.sha256(name.encode()).hexdigest() if name else None


def _amount(lines: list[dict[str, Any]]) -> str | None:
    """Return the sum of the lines where each says its amount, or quantity and price without a discount."""
    total = Decimal(0)
    for line in lines:
        if any(name in line and _inner(line, name) is not None for name in _DISCOUNTS):
            return None
        manual = _inner(line, "manualAmountInCurrency")
        quantity, price = _inner(line, "quantity"), _inner(line, "unitPriceInCurrency")
        if manual is not None:
            total += Decimal(manual)
        elif quantity is not None and price is not None:
            total += Decimal(quantity) * Decimal(price)
        else:
            return None
    return plain(total)


def spelled(text: object) -> str:
    """Return a text without its casing: a company may keep numbers and references in capitals."""
    return text.casefold() if isinstance(text, str) else ""


def differences(endpoint: Endpoint, expected: Expectation, read: Dictionary[str, Any]) -> list[str]:
    """Name what a document read from the API does not share with the one that was sent.

    Source: FACTS 8.1 (CONFIRMED): in read forms the customer is an object with its number.
    """
    party = read.get("customer")
    pairs = [
        ("customer", expected.customer, party.get("number") if isinstance(party, dict) else None),
        ("date", expected.day, str(read.get("documentDate") or "")[:10]),
        ("currency", expected.currency, read.get("currencyId")),
    ]
    if expected.name:
        pairs.append(("name", expected.name, _digest(str(read.get("name") or ""))))
    found = [name for name, sent, there in pairs if sent and sent != there]
    there = read.get(endpoint.reference_field or "")
    if expected.reference and there != expected.reference and spelled(there) == spelled(expected.reference):
        found.append("casing of the reference")
    lines = read.get(endpoint.lines or "")
    if expected.lines is not None and isinstance(lines, list) and len(lines) != expected.lines:
        found.append("number of lines")
    return found


def other_amount(expected: Expectation, read: Dictionary[str, Any]) -> str | None:
    """Return the net amount that stands there where it is another than was sent."""
    there = read.get("detailTotalInCurrency")
    if expected.amount is None or not isinstance(there, int | Decimal):
        return None
    return None if Decimal(expected.amount) == Decimal(there) else plain(Decimal(there))


def number_of(endpoint: Endpoint, read: Dictionary[str, Any]) -> str | None:
    """Return the number of a document that was read."""
    if endpoint.number_field:
        value = read.get(endpoint.number_field)
    else:
        value = read.get("referenceNumber", read.get("number"))
    return value if isinstance(value, str) and value else None
