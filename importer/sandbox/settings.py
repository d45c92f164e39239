"""Describe how a sandbox behaves: its regime of numbers, its limits, and the faults it shows on demand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Regime = Literal["lenient", "automatic", "manual"]

FaultKind = Literal[
    "500_before",
    "500_after",
    "500_message",
    "502_html",
    "503",
    "cut_before",
    "cut_after",
    "hang",
    "late",
    "429",
    "401",
    "400_plain",
    "no_location",
    "other_location",
    "202",
    "307",
]

SCOPES = tuple(f"vismanet_erp_service_api:{right}" for right in ("read", "create", "update", "delete"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Ask for one misbehaviour.

    `match` is "METHOD part-of-the-path" (any casing; `*` for every method). Of the requests that match, the
    `nth` (from 1) shows the fault, or each `every`-th, or without both all of them. `commit` lets the request
    be carried out first, its answer being replaced. `hang` waits `delay_s` after the work is done, `late`
    before it. With `since`, given like `match`, nothing is wrong before the `since_nth` of such requests was seen.
    """

    match: str
    kind: FaultKind
    nth: int | None = None
    every: int | None = None
    delay_s: float = 0
    retry_after_s: int = 1
    commit: bool = False
    since: str | None = None
    since_nth: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold everything that can be chosen about a sandbox.

    `numbering` is one regime, or one for each resource: `lenient` takes a number that was sent, `automatic`
    does so only with `overrideNumberSeries`, `manual` wants one. `clients` maps a client id to its secret;
    empty means that everybody is let in. `lists_lag_s` hides new documents from lists, `ignored_filters` are
    query parameters that are passed over; `catalog` is another resources.json.
    """

    numbering: Regime | Mapping[str, Regime] = "lenient"
    strict: bool = False
    default_page_size: int = 100
    max_page_size: int = 1000
    require_token: bool = False
    clients: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = SCOPES
    token_lifetime_s: int = 3600
    customer_tenants: frozenset[str] = frozenset()
    unlicensed_tenants: frozenset[str] = frozenset()
    limit_per_hour: int | None = None
    window_s: int = 3600
    limit_policy: str = "4-fixed-window"
    release_delay_s: float = 0.2
    background_delay_s: float = 0.2
    lists_lag_s: float = 0
    ignored_filters: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()
    catalog: Path | None = None

    def regime(self, resource: str) -> Regime:
        """Return the regime of numbers of one resource."""
        return self.numbering if isinstance(self.numbering, str) else self.numbering.get(resource, "lenient")
