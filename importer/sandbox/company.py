"""Read company.json: the codes, periods and customers that the simulated company has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from importer.sandbox import jsontext


@dataclass(frozen=True, slots=True)
class Code:
    """Say which codes of a field the company has: all but the missing ones, or only the known ones."""

    label: str
    missing: frozenset[str]
    known: frozenset[str] | None

    def has(self, code: str) -> bool:
        """Say whether the company has this code; an empty one refers to nothing."""
        if not code:
            return True
        if self.known is not None:
            return code in self.known
        return code not in self.missing and "UNKNOWN" not in code.upper()


@dataclass(frozen=True, slots=True)
class Company:
    """Hold the simulated company's facts."""

    currency: str
    first_period: str
    closed_before: str
    last_period: str
    codes: Mapping[str, Code]
    seed: Mapping[str, Any]


@cache
def load() -> Company:
    """Read company.json."""
    raw = jsontext.read(Path(__file__).resolve().with_name("company.json").read_text(encoding="utf-8"))
    codes = {
        field: Code(
            row["label"],
            frozenset(row.get("missing", ())),
            frozenset(raw[row["known"]]) if "known" in row else None,
        )
        for field, row in raw["codes"].items()
    }
    periods = raw["periods"]
    return Company(raw["currency"], periods["first"], periods["closed_before"], periods["last"], codes, raw["seed"])


def customers(company: Company) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make the customers that every fresh company has, each with its number; the same ones each time."""
    seed = company.seed
    names, countries = seed["names"], seed["countries"]
    for place in range(seed["count"]):
        number = str(seed["first"] + place)
        country = countries[place // len(names) % len(countries)]
        name = f"{names[place % len(names)]} {country['form']}"
        address = {
            "addressLine1": {"value": f"{country['street']} {place + 1}"},
            "postalCode": {"value": country["postalCode"]},
            "city": {"value": country["city"]},
            "countryId": {"value": country["countryId"]},
        }
        contact = {"name": {"value": name}, "email": {"value": seed["email"].format(n=number)}}
        yield (
            number,
            {
                "number": {"value": number},
                "name": {"value": name},
                "status": {"value": "Active"},
                "currencyId": {"value": country["currencyId"]},
                "corporateId": {"value": country["corporateId"].format(n=number)},
                "vatRegistrationId": {"value": country["vatRegistrationId"].format(n=number)},
                "mainAddress": {"value": address},
                "mainContact": {"value": contact},
            },
        )
