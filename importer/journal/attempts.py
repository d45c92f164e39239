"""One attempt at a document, and the questions that are asked about attempts."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from importer.journal import tables
from importer.model import Past

#: The status of an answer that may have been given after the work was done.
_ERROR: Final = 500
#: The state of what a person said is not in Visma, so that it is sent whatever is found.
WITHDRAWN: Final = "withdrawn"


class Attempt(NamedTuple):
    """Hold one attempt at one document; a tuple, since tens of thousands are made of rows."""

    attempt_id: int
    uid: str
    run_id: str
    key: str
    fingerprint: str
    identity: str
    endpoint: str
    state: str
    claimed_at: str
    settled_at: str | None
    number: str | None
    expect: str
    server_at: str | None
    #: the background request that the API made of it
    job: str | None
    #: its place in the run's plan; None in what older versions wrote
    position: int | None


class AlreadyClaimed(Exception):  # noqa: N818 - reads as what happened
    """Tell that another attempt at the document is in flight, accepted or in doubt."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.key)
        self.attempt = attempt


NAMES: Final = Attempt._fields
COLUMNS: Final = tuple(tables.attempt.c[name] for name in NAMES)


def _first(*names: str) -> Any:
    """Return the first of some columns that says anything."""
    *others, last = (tables.attempt.c[name] for name in names)
    return sa.func.coalesce(*(sa.func.nullif(column, "") for column in others), last)


_TIMES: Final = {"at": _first("settled_at", "claimed_at"), "sent_at": _first("server_at", "claimed_at")}
#: The fields of Past, and no others: of tens of thousands each one counts.
_PAST: Final = tuple(_TIMES[name] if name in _TIMES else tables.attempt.c[name] for name in Past._fields)


def _of(company: str, endpoint: str, *which: Any) -> sa.Select[Any]:
    """Return the query for some attempts of one company and endpoint, in the order of the claims."""
    attempt = tables.attempt
    own = (attempt.c.company == company, attempt.c.endpoint == endpoint)
    return sa.select(*COLUMNS).where(*own, *which).order_by(attempt.c.attempt_id)


def live(company: str, endpoint: str) -> sa.Select[Any]:
    """Ask for every attempt in flight, accepted or in doubt."""
    return _of(company, endpoint, tables.attempt.c.state.in_(tables.LIVE))


def once_doubtful(company: str, endpoint: str) -> sa.Select[Any]:
    """Ask for every attempt that a look-up or a person said is not there, or that was refused with 500."""
    return _of(company, endpoint, _once_doubtful())


def deciding(company: str, endpoint: str, *, most: bool) -> sa.Select[Any]:
    """Ask at once for every attempt that is live, that was once in doubt, or that a person said is not there.

    Each row has the fields of Past. `most` tells that most attempts of the journal are of this company and endpoint, so
    that going through all of them, in their order, takes half as long as finding each by an index.
    """
    attempt = tables.attempt
    # no index holds what is made of a column
    own = (attempt.c[name].concat("") if most else attempt.c[name] for name in ("company", "endpoint"))
    same = (found == wanted for found, wanted in zip(own, (company, endpoint), strict=True))
    return sa.select(*_PAST).where(*same, _decides()).order_by(attempt.c.attempt_id)


def latest(company: str, states: Sequence[str]) -> sa.Select[Any]:
    """Ask for the latest attempt at each document that decides whether it is sent, where it is in one of some states.

    One in another state was answered for by what came after it.
    """
    attempt = tables.attempt
    newest = (
        sa.select(sa.func.max(attempt.c.attempt_id))
        .where(attempt.c.company == company, _decides())
        .group_by(attempt.c.endpoint, attempt.c.identity)
    )
    own = (attempt.c.attempt_id.in_(newest), attempt.c.state.in_(states))
    return sa.select(*COLUMNS).where(*own).order_by(attempt.c.attempt_id)


def _decides() -> Any:
    return sa.or_(tables.attempt.c.state.in_((*tables.LIVE, WITHDRAWN)), _once_doubtful())


def _once_doubtful() -> Any:
    attempt = tables.attempt
    settled = sa.and_(attempt.c.state == "not_sent", attempt.c.decided_by.is_not(None))
    return sa.or_(settled, _refused_with_error())


def refused_with_error(fingerprints: Sequence[Any]) -> sa.Select[Any]:
    """Ask for attempts at documents of some contents that were refused with 500.

    `company` and `endpoint` are given with the question, as what `fingerprints` stands for is.
    """
    attempt = tables.attempt
    own = (attempt.c[name] == sa.bindparam(name, required=False) for name in ("company", "endpoint"))
    # by the fingerprint, for which there is an index
    same = attempt.c.fingerprint.in_(fingerprints)
    return sa.select(*COLUMNS).where(*own, same, _refused_with_error()).order_by(attempt.c.attempt_id)


def open_changes(keys: Sequence[Any]) -> sa.Select[Any]:
    """Ask for the attempts at changes of some keys that are in flight or in doubt.

    `company` and `endpoint` are given with the question, as what `keys` stands for is.
    """
    attempt = tables.attempt
    own = (attempt.c[name] == sa.bindparam(name, required=False) for name in ("company", "endpoint"))
    which = (attempt.c.key.in_(keys), sa.text(tables.OPEN_CHANGE))
    return sa.select(*COLUMNS).where(*own, *which).order_by(attempt.c.attempt_id)


def _refused_with_error() -> Any:
    return sa.and_(tables.attempt.c.state == "rejected", tables.attempt.c.http_status == _ERROR)


def doubtful(company: str) -> sa.Select[Any]:
    """Ask for every attempt in flight or in doubt that no later accepted one made pointless."""
    attempt, later = tables.attempt, tables.attempt.alias("later")
    superseded = sa.exists().where(
        attempt.c.repeatable == 1,
        later.c.state == "accepted",
        later.c.attempt_id > attempt.c.attempt_id,
        *(later.c[name] == attempt.c[name] for name in ("company", "endpoint", "key")),
    )
    return (
        sa.select(*COLUMNS)
        .where(attempt.c.company == company, attempt.c.state.in_(("sending", "unknown")), ~superseded)
        .order_by(attempt.c.attempt_id)
    )
