"""Settle documents in doubt from the command line: by looking them up, or by a person's word."""

import getpass
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import click

from importer.cli import screen
from importer.cli.connection import Connection, connected, resolver_for
from importer.cli.inputs import print_json
from importer.cli.stream import printable, say
from importer.decide import by_hand, is_unseen
from importer.doubts import BY_LOOKING, is_in_hand
from importer.endpoints import Endpoint, creator, table
from importer.errors import StartError, UsageError
from importer.expect import number_of
from importer.journal import Attempt, Journal
from importer.journal.attempts import WITHDRAWN
from importer.journal.words import latest
from importer.lookup import Found, read_one
from importer.model import Outcome, RunRecord, Status
from importer.project import Project
from importer.resolve import Resolver, Settlement
from importer.send import now_utc
from importer.stop import Stop
from importer.target import Target

#: What an attempt is that was said not to be in Visma.
_ABSENT: Final = (WITHDRAWN, "not_sent")
_REFUSED: Final = "rejected"
_UNSEEN: Final = (
    "It was refused with an error after which it may be in Visma all the same, and no look-up shows whether it is."
)


@dataclass(frozen=True, slots=True)
class Word:
    """Hold a person's decision: accepted (perhaps with its number) or not there."""

    accepted: bool
    number: str | None
    yes: bool
    as_json: bool = False


def resolve_all(
    project: Project, chosen: str | Target, journal: Journal, settle_after_s: float, *, as_json: bool, quiet: bool
) -> int:
    """Look up everything in doubt; return 0 when nothing is left, else 5."""
    out = screen.console(error=as_json)
    with connected(chosen, project, screen.RunProgress(quiet=True), Stop()) as connection:
        company = connection.target.company
        attempts = [*journal.doubtful(company), *_held_after_error(journal, company)]
        resolver = _resolver(connection, journal, attempts, settle_after_s)
        done = [(attempt, _looked_up(journal, resolver, attempt)) for attempt in attempts]
    left = sum(settlement.status is Status.UNKNOWN for _, settlement in done)
    if as_json:
        _print([_row(attempt, settlement) for attempt, settlement in done], left)
    elif not quiet:
        for attempt, settlement in done:
            out.print(f"{settlement.status}  {attempt.endpoint}  {attempt.key}", markup=False)
            out.print(f"    {settlement.message}{_advice(attempt, settlement)}", markup=False)
    out.print(f"{len(done)} in doubt, {len(done) - left} settled, {left} left.")
    return 5 if left else 0


def _held_after_error(journal: Journal, company: str) -> list[Attempt]:
    """Return what was refused with an error after which it may be there all the same, and is held for that.

    The others are looked for by the run that sends them again.
    """
    refused = latest(journal, company, (_REFUSED,))
    seen: dict[str, list[str]] = {}
    for one in refused:
        if not _is_unseen(one):
            seen.setdefault(one.endpoint, []).append(one.key)
    # nothing may be left in the row by which it could be looked for
    doubted = {
        (name, key)
        for name, keys in seen.items()
        for endpoint in table().values()
        if endpoint.creates.name == name
        for key, (_, outcome) in journal.last_outcomes(company, endpoint.name, keys).items()
        if outcome.status is Status.UNKNOWN
    }
    return [one for one in refused if _is_unseen(one) or (one.endpoint, one.key) in doubted]


def _is_unseen(attempt: Attempt) -> bool:
    return is_unseen(table()[attempt.endpoint], attempt.key, attempt.identity, attempt.expect)


def _looked_up(journal: Journal, resolver: Resolver, attempt: Attempt) -> Settlement:
    """Look an attempt up and write down what was found, unless somebody else has it in hand or was faster."""
    if attempt.state == _REFUSED and _is_unseen(attempt):
        return Settlement(status=Status.UNKNOWN, message=_UNSEEN)
    if is_in_hand(journal, attempt):
        message = f"Run {attempt.run_id} still has it in hand. Resolve again when that run has ended."
        return Settlement(status=Status.UNKNOWN, message=message)
    found = resolver.settle(table()[attempt.endpoint], attempt)
    if attempt.state == _REFUSED and found.status is Status.UNKNOWN:
        # it stays what Visma said
        return found
    if journal.decide(attempt, found.status.value, found.message, now_utc(), number=found.number, by=BY_LOOKING):
        return found
    return Settlement(status=Status.UNKNOWN, message="Somebody else settled it meanwhile. Resolve again to see how.")


def _advice(attempt: Attempt, settlement: Settlement) -> str:
    return f"\n    {by_hand(attempt.key)}" if settlement.status is Status.UNKNOWN else ""


def _print(documents: list[dict[str, str | None]], left: int) -> None:
    code = 5 if left else 0
    print_json({"format_version": 1, "exit_code": code, "documents": documents, "unknown": left})


def _row(attempt: Attempt, settlement: Settlement) -> dict[str, str | None]:
    return {
        "endpoint": attempt.endpoint,
        "key": attempt.key,
        "run_id": attempt.run_id,
        "status": settlement.status.value,
        "number": settlement.number,
        "message": settlement.message,
    }


def _resolver(connection: Connection, journal: Journal, attempts: Sequence[Attempt], settle_after_s: float) -> Resolver:
    resolver = resolver_for(connection, settle_after_s)
    for name in {attempt.endpoint for attempt in attempts}:
        resolver.know(name, journal.live_attempts(connection.target.company, name))
    return resolver


@dataclass(frozen=True, slots=True)
class _Matter:
    """Hold what there is to decide on one document: an attempt, or a run that called it changed, or both."""

    endpoint: str
    attempt: Attempt | None
    changed: tuple[RunRecord, Outcome] | None
    #: earlier attempts with the same content that are in doubt, too
    earlier: tuple[Attempt, ...] = ()

    @property
    def run_id(self) -> str:
        """Return the run that the decision is about."""
        return self.attempt.run_id if self.attempt else self.changed[0].run_id if self.changed else ""


def decide_key(
    project: Project, chosen: str | Target, journal: Journal, key: str, endpoint: str | None, word: Word
) -> int:
    """Settle one document by a person's word: in doubt, accepted, or changed."""
    with connected(chosen, project, screen.RunProgress(quiet=True), Stop()) as connection:
        matter = _matter(journal, connection.target.company, key, endpoint, taking_back=word.accepted)
        number = word.number or (_number(matter.attempt) if matter.attempt else None)
        if matter.changed and not number:
            number = matter.changed[1].number
        _show(connection, table()[matter.endpoint], number, key)
        _ask(word, f"{matter.endpoint} {key}")
        _carry_out(journal, matter, word)
    if word.as_json:
        _print([_decided(matter.endpoint, key, matter.run_id, word, number)], 0)
    else:
        say(f"{key}: noted as {'accepted' if word.accepted else 'not there'}, by {_person()}.")
    return 0


def _matter(journal: Journal, company: str, key: str, endpoint: str | None, *, taking_back: bool) -> _Matter:
    """Return the one document that a key stands for.

    `taking_back` tells that it may be one which was said not to be there, as long as nothing was sent since.

    Raises: UsageError where it stands for none or for several.
    """
    found = []
    ended = [one for one in latest(journal, company, (_REFUSED, *_ABSENT)) if one.key == key]
    for name in [creator(endpoint)] if endpoint else list(table()):
        live = [attempt for attempt in journal.live_attempts(company, name) if attempt.key == key]
        doubtful = [attempt for attempt in live if attempt.state != "accepted"]
        changed = _changed(journal, company, key, name)
        own = [one for one in ended if one.endpoint == name] if changed is None else []
        # refused with an error after which it may be there all the same
        refused = [one for one in own if one.state == _REFUSED]
        absent = [one for one in own if one.state in _ABSENT] if taking_back else []
        newest = (doubtful or refused or sorted([*live, *absent]))[-1:]
        same = tuple(each for each in doubtful[:-1] if each.fingerprint == newest[0].fingerprint)
        matter = _Matter(name, newest[0] if newest else None, changed, same)
        found += [matter] if matter.attempt or matter.changed else []
    if not found:
        raise UsageError(f"The journal knows no document with the key {key!r} in this company.")
    if len(found) > 1:
        listed = ", ".join(sorted(matter.endpoint for matter in found))
        raise UsageError(f"{key!r} stands for several documents ({listed}). Say which: --endpoint NAME.")
    return found[0]


def _carry_out(journal: Journal, matter: _Matter, word: Word) -> None:
    attempt, changed = matter.attempt, matter.changed
    if changed is not None:
        # what a person says is known by the endpoint that creates it, as it is when it is sent
        changed = (replace(changed[0], endpoint=matter.endpoint), changed[1])
    settled = attempt is None or attempt.state == "accepted"
    if changed is not None and settled and word.accepted:
        number = word.number or changed[1].number
        if attempt is not None:
            journal.adopt(attempt, changed[1], number, now_utc(), _person())
        else:
            journal.word(*changed, "accepted", now_utc(), number=number, by=_person())
        return
    for each in (*matter.earlier, *([attempt] if attempt else [])):
        _decide(journal, each, word)
    if changed is not None and settled:
        journal.word(*changed, "withdrawn", now_utc(), number=None, by=_person())


def decide_run(project: Project, chosen: str | Target, journal: Journal, run_id: str, word: Word) -> int:
    """Settle all documents of a run by a person's word: the `changed` ones as accepted, or all in doubt."""
    record = journal.run(run_id)
    outcomes = [outcome for outcome in journal.outcomes(record.run_id) if outcome.status is Status.CHANGED]
    with connected(chosen, project, screen.RunProgress(quiet=True), Stop()) as connection:
        if connection.target.company != record.company:
            raise UsageError(f"Run {record.run_id} was for another company. Name its target: --target {record.target}")
        doubtful = [a for a in journal.doubtful(record.company) if a.run_id == record.run_id]
        count = len(doubtful) + len(outcomes)
        _ask(word, f"{count} documents of run {record.run_id}")
        for attempt in doubtful:
            _decide(journal, attempt, Word(word.accepted, None, yes=True))
        name = creator(record.endpoint)
        live = {a.key: a for a in journal.live_attempts(record.company, name)}
        for outcome in outcomes:
            _carry_out(journal, _Matter(name, live.get(outcome.key or ""), (record, outcome)), word)
    if word.as_json:
        known = [(a.key, a.number) for a in doubtful] + [(outcome.key, outcome.number) for outcome in outcomes]
        _print([_decided(name, key, record.run_id, word, number) for key, number in known], 0)
    else:
        say(f"{count} documents: noted as {'accepted' if word.accepted else 'not there'}, by {_person()}.")
    return 0


def _decided(endpoint: str, key: str | None, run_id: str, word: Word, number: str | None) -> dict[str, str | None]:
    """Return a document that a person decided, as `resolve --json` prints it."""
    status, said = (Status.ACCEPTED, "accepted") if word.accepted else (Status.NOT_SENT, "not there")
    message = f"Noted as {said}, by {_person()}."
    return {
        "endpoint": endpoint,
        "key": key,
        "run_id": run_id,
        "status": status.value,
        "number": number,
        "message": message,
    }


def _changed(journal: Journal, company: str, key: str, endpoint: str) -> tuple[RunRecord, Outcome] | None:
    """Return the latest run that called the document changed, unless a later one did not."""
    for record, _ in journal.runs():
        if record.company != company or creator(record.endpoint) != endpoint:
            continue
        for outcome in journal.outcomes(record.run_id):
            if outcome.key == key and outcome.status is not Status.FILTERED:
                return (record, outcome) if outcome.status is Status.CHANGED else None
    return None


def _show(connection: Connection, endpoint: Endpoint, number: str | None, key: str) -> None:
    """Tell what the API says of the document, before anybody decides."""
    if not number:
        say(f"{key}: no number is known, so it cannot be shown.", error=True)
        return
    found = read_one(connection.session, endpoint, number)
    if isinstance(found, Found):
        told = {
            name: found.data.get(name) for name in ("documentDate", "status", "amount", "name") if found.data.get(name)
        }
        shown = ", ".join(f"{name} {value}" for name, value in told.items())
        say(f"Visma has {number_of(endpoint, found.data) or number}: {printable(shown)}", error=True)
    else:
        say(f"Visma says of {number}: {found or 'there is no such document'}", error=True)


def _ask(word: Word, what: str) -> None:
    if word.yes:
        return
    if not sys.stdin.isatty():
        raise StartError("Nobody can be asked here. Say --yes. Nothing was changed.")
    if not click.confirm(f"Note {what} as {'accepted' if word.accepted else 'not there'}?", err=True):
        raise StartError("Nothing was changed.")


def _decide(journal: Journal, attempt: Attempt, word: Word) -> None:
    if is_in_hand(journal, attempt):
        raise StartError(
            f"Run {attempt.run_id} still has {attempt.key!r} in hand, so it was left as it is. Wait until that run has "
            "ended, or end it."
        )
    at, by = now_utc(), _person()
    if word.accepted:
        number = word.number or _number(attempt)
        state, message = "accepted", f"{by} saw it in Visma{f' as {number}' if number else ''} on {at[:10]}."
    else:
        state, number = "withdrawn" if attempt.state == "accepted" else "not_sent", attempt.number
        message = f"{by} found on {at[:10]} that it is not in Visma. Run again to send it."
    if not journal.decide(attempt, state, message, at, number=number, by=by):
        raise StartError(
            f"{attempt.key!r} was settled by somebody else meanwhile, so it was left as it is. See how with "
            f"'visma-import history --key {shlex.quote(attempt.key)}', then decide again."
        )


def _number(attempt: Attempt) -> str | None:
    """Return the number of what an attempt made, or of what it changed."""
    return attempt.number or (attempt.key if table()[attempt.endpoint].key_in_path else None)


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
