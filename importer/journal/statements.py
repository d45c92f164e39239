"""The statements of a run's every document, as texts of the journal's database: building them costs more than they do.

SQLAlchemy writes them, once for each kind of database in the life of a process.
"""

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from importer.journal import tables
from importer.journal.attempts import NAMES, open_changes, refused_with_error

#: What a claim writes of an attempt.
_CLAIMED: Final = (
    *("uid", "run_id", "company", "endpoint", "key", "position", "state", "claimed_at", "fingerprint", "identity"),
    *("repeatable", "expect", "server_at", "before"),
)
_SETTLED: Final = ("state", "settled_at", "number", "http_status", "evidence")
_OUTCOME: Final = ("status", "number", "http_status", "message", "sent_at")
#: An insertion that may be left out where something stands in its way.
INSERT: Final[dict[str, Callable[[sa.Table], Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
Parameters = dict[str, Any]


class _Text:
    """Hold one statement as a text, and what it says by itself."""

    def __init__(self, statement: Any, dialect: Any) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._said = {name: value for name, value in compiled.params.items() if value is not None}
        places = compiled.positiontup
        #: what puts values into the order of the question marks; SQLite takes its time to find a name
        self._placed = (itemgetter(*places) if len(places) > 1 else _only(*places)) if places else None

    def _given(self, given: Parameters) -> Any:
        """Return parameters as the database takes them."""
        told = {**self._said, **given} if self._said else given
        return self._placed(told) if self._placed else told

    def __call__(self, connection: sa.Connection, given: Parameters) -> sa.CursorResult[Any]:
        return connection.exec_driver_sql(self._text, self._given(given))

    def each(self, connection: sa.Connection, given: Sequence[Parameters]) -> None:
        """Carry it out with each of some parameters, if there are any."""
        if given:
            connection.exec_driver_sql(self._text, [self._given(one) for one in given])


class _Several:
    """Hold a statement that does for several documents at once what another one does for one.

    A statement lets other threads go first at its every step; one that does it row by row waits for them as often.
    """

    def __init__(self, build: Callable[[int], Any], dialect: Any) -> None:
        self._texts = cache(lambda count: _Text(build(count), dialect))

    def __call__(self, connection: sa.Connection, given: Sequence[Parameters]) -> list[Any]:
        """Carry it out with several parameters, if there are any; return the rows that it tells."""
        if not given:
            return []
        placed = {f"{name}_of_{place}": value for place, one in enumerate(given) for name, value in one.items()}
        found = self._texts(len(given))(connection, placed)
        return list(found.all()) if found.returns_rows else []


def _only(name: str) -> Callable[[Parameters], tuple[Any]]:
    """Return what `itemgetter` would of several names."""
    return lambda told: (told[name],)


def statements_of(engine: sa.Engine) -> "Statements":
    """Return the statements as a database takes them; they hold nothing of the database itself."""
    name = engine.dialect.name
    if name not in _WRITTEN:
        _WRITTEN[name] = Statements(engine.dialect)
    return _WRITTEN[name]


class Statements:
    """Hold the statements; each takes its parameters by name."""

    def __init__(self, dialect: Any) -> None:
        attempt, result = tables.attempt, tables.result
        insert = INSERT[dialect.name](attempt)
        #: a claim, left out where another one stands in its way; tells its id
        claim = insert.values(_by_name(_CLAIMED)).on_conflict_do_nothing()
        self.claim = _Text(claim.returning(attempt.c.attempt_id), dialect)
        #: several; tells uid and id of those that are not left out
        self.claims = _Several(
            lambda count: (
                insert.values([_by_name(_CLAIMED, f"_of_{place}") for place in range(count)])
                .on_conflict_do_nothing()
                .returning(attempt.c.uid, attempt.c.attempt_id)
            ),
            dialect,
        )
        #: the claim `attempt_id` is taken back before it counted
        self.take_back = _Text(attempt.delete().where(attempt.c.attempt_id == _given("own")), dialect)
        #: the claim `own` is settled; the owner's word counts although another run called it in doubt
        self.settle = _Text(
            attempt.update()
            .where(attempt.c.attempt_id == _given("own"), attempt.c.state.in_(("sending", "unknown")))
            .values(_by_name(_SETTLED)),
            dialect,
        )
        open_ = attempt.c.state.in_(("sending", "unknown"))
        self.settlements = _Several(
            lambda count: _updates(attempt, "attempt_id", "own", _SETTLED, count).where(open_), dialect
        )
        #: what the report of a run says of a document, for the first time
        self.result = _Text(result.insert().values(_by_name(result.c.keys())), dialect)
        own = (result.c.run_id == _given("own_run"), result.c.position == _given("own_position"))
        #: what the report of a run says of the document at a position
        self.outcome = _Text(result.update().where(*own).values(_by_name(_OUTCOME)), dialect)
        #: the same of several documents of one run
        self.outcomes = _Several(
            lambda count: _updates(result, "position", "own_position", _OUTCOME, count).where(
                result.c.run_id == _given("own_run_of_0")
            ),
            dialect,
        )
        self._refused = cache(lambda count: _Text(refused_with_error(_several(count)), dialect))
        self._open_changes = cache(lambda count: _Text(open_changes(_several(count)), dialect))

    def refused(
        self, connection: sa.Connection, company: str, endpoint: str, fingerprints: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the attempts at some contents that were refused with 500, in the order of their claims."""
        return _asked(self._refused, connection, company, endpoint, fingerprints)

    def open_changes(
        self, connection: sa.Connection, company: str, endpoint: str, keys: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the attempts at changes of some keys that are in flight or in doubt, in the order of their claims."""
        return _asked(self._open_changes, connection, company, endpoint, keys)


def _asked(
    texts: Callable[[int], _Text], connection: sa.Connection, company: str, endpoint: str, values: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what a question about several values tells of attempts; nothing where there are none."""
    if not values:
        return []
    rows = texts(len(values))(connection, {"company": company, "endpoint": endpoint, **_places(values)})
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def _given(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name, required=False)


def _by_name(names: Sequence[str], of: str = "") -> dict[str, sa.BindParameter[Any]]:
    return {name: _given(f"{name}{of}") for name in names}


def _updates(table: sa.Table, key: str, own: str, names: Sequence[str], count: int) -> sa.Update:
    """Return the update of several rows, each known by its `key`, in which each gets values of its own."""
    places = range(count)
    keys = [sa.bindparam(f"{own}_of_{place}", required=False, type_=table.c[key].type) for place in places]

    def its(name: str) -> Any:
        kind = table.c[name].type
        values = [sa.bindparam(f"{name}_of_{place}", required=False, type_=kind) for place in places]
        return sa.case(*((table.c[key] == one, value) for one, value in zip(keys, values, strict=True)))

    return table.update().where(table.c[key].in_(keys)).values({name: its(name) for name in names})


def _several(count: int) -> list[sa.BindParameter[Any]]:
    return [_given(f"place_{place}") for place in range(count)]


def _places(values: Sequence[str]) -> Parameters:
    return {f"place_{place}": value for place, value in enumerate(values)}


_WRITTEN: Final[dict[str, Statements]] = {}
