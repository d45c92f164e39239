"""Carry out what a request asks of one resource: create, read, list, change, delete."""

from collections.abc import Mapping
from typing import Any

from importer.sandbox import answers, jsontext, lists, rules
from importer.sandbox.answers import Answer, Call, Refusal
from importer.sandbox.bodies import Taken, merge, take, value
from importer.sandbox.catalog import Fields, Resource
from importer.sandbox.lines import change_lines
from importer.sandbox.reading import read_one
from importer.sandbox.store import Stored
from importer.sandbox.world import World

#: Fields that say how a change is carried out; nothing of them is left in the record.
_HOW = ("overrideNumberSeries", "overrideWithClassValues")


def create(world: World, resource: Resource, call: Call, *, version: str, prefix: str) -> Answer:
    """Create a document or record and answer its address."""
    sent = body_of(world, resource.body, call)
    with world.store.change():
        body = dict(sent)
        errors = _prepare(world, resource, body, sent)
        if errors:
            raise Refusal(answers.rejection(resource, "POST", errors))
        number = choose_number(world, resource, sent, version)
        stamp = keep_new(world, resource, number, body)
    address = {"Location": answers.location(call.origin, prefix, resource, number)}
    version_header = answers.etag(stamp) if version in resource.etag_on_create else {}
    return Answer(201, {**address, **version_header})


def read(world: World, resource: Resource, number: str) -> Answer:
    """Answer one document in full."""
    stored = existing(world, resource, number)
    shown = read_one(world.catalog, resource, stored, world.party(resource, stored.body))
    return answers.as_json(200, shown, answers.etag(stored.stamp))


def read_list(world: World, resource: Resource, call: Call) -> Answer:
    """Answer one page of documents as a bare array."""
    query, lag = lists.parse(call.query), world.settings.lists_lag_s
    visible = world.moment(lag) if lag else "9999"
    found, metadata = lists.page(world.store, resource, query, world.settings, visible)
    parties: dict[str, Stored | None] = {}
    rows = []
    for stored in found:
        key = value(stored.body, resource.party.field) if resource.party else ""
        if key not in parties:
            parties[key] = world.party(resource, stored.body)
        shown = read_one(world.catalog, resource, stored, parties[key])
        rows.append({**lists.leave_out(resource, query, shown), "metadata": metadata})
    return answers.as_json(200, rows)


def update(world: World, resource: Resource, number: str, call: Call) -> Answer:
    """Change what the body mentions and answer the new version."""
    change = body_of(world, resource.body, call)
    for name in (resource.number, *_HOW):
        change.pop(name, None)
    with world.store.change():
        stored = existing(world, resource, number)
        check_version(stored, call)
        _check_changeable(resource, stored)
        sent_lines = change.pop(resource.lines, []) if resource.lines else []
        body = merge(world.catalog, resource.body, stored.body, change)
        rules.complete_periods(body, change)
        errors: list[str] = []
        if resource.lines and sent_lines:
            fields = world.catalog.line_fields(resource)
            body[resource.lines], errors = change_lines(
                world.catalog, fields, stored.body.get(resource.lines, []), sent_lines
            )
        errors += rules.errors(world.catalog, world.company, resource, body, world.party(resource, body))
        if errors:
            raise Refusal(answers.rejection(resource, "PUT", errors))
        stamp = world.store.update(stored, _status(resource, body), body, world.moment())
    return Answer(204, answers.etag(stamp))


def delete(world: World, resource: Resource, number: str, call: Call) -> Answer:
    """Delete an unreleased document."""
    with world.store.change():
        stored = existing(world, resource, number)
        check_version(stored, call)
        _check_changeable(resource, stored)
        world.store.delete(stored)
    return Answer(204)


def existing(world: World, resource: Resource, number: str) -> Stored:
    """Return a document by its number.

    Raises: Refusal (404) where there is none.
    """
    stored = world.store.find(resource.name, number)
    if stored is None:
        raise Refusal(answers.not_found(resource, number))
    return stored


def check_version(stored: Stored, call: Call) -> None:
    """Refuse with 412 when If-Match, which is quoted, names another version."""
    wanted = call.headers.get("if-match")
    if wanted not in (None, "*", f'"{stored.stamp}"'):
        raise Refusal(answers.message(412, "The record has been changed since the version stated in If-Match."))


def body_of(world: World, fields: Fields, call: Call) -> dict[str, Any]:
    """Return a request's body, known fields only.

    Raises: Refusal (400) for what is no JSON object, a value of the wrong type, unknown fields when strict.
    """
    try:
        raw = jsontext.read(call.body)
    except (ValueError, RecursionError):
        raise Refusal(answers.message(400, "The request body is not valid JSON.")) from None
    if not isinstance(raw, dict):
        raise Refusal(answers.message(400, "The request body has to be a JSON object."))
    taken: Taken = take(world.catalog, fields, raw)
    if taken.errors:
        raise Refusal(answers.message(400, "\r\n".join(taken.errors)))
    if taken.unknown and world.settings.strict:
        text = "\r\n".join(f"Could not find member '{path}'." for path in taken.unknown)
        raise Refusal(answers.message(400, text))
    return taken.body


def choose_number(world: World, resource: Resource, sent: Mapping[str, Any], version: str) -> str:
    """Return the number of a new document under the resource's regime.

    Raises: Refusal (400) where the number is missing or taken.
    """
    regime = world.settings.regime(resource.name)
    number: str | None = value(sent, resource.number)
    overrides = value(sent, "overrideNumberSeries") is True and version in resource.etag_on_create
    if regime == "manual" and not number:
        raise Refusal(answers.rejection(resource, "POST", [f"'{resource.number}' cannot be empty."]))
    if not number or (regime == "automatic" and not overrides):
        return world.store.next_number(resource)
    if world.store.find(resource.name, number):
        raise Refusal(answers.number_taken(resource))
    return number


def keep_new(world: World, resource: Resource, number: str, body: Mapping[str, Any]) -> str:
    """Store a new document under its number and return its stamp."""
    kept = {**body, resource.number: {"value": number}}
    return world.store.insert(resource.name, number, _status(resource, kept), kept, world.moment())


def _prepare(world: World, resource: Resource, body: dict[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """Complete the body of a new document and return what is wrong with it."""
    party = world.party(resource, body)
    rules.fill(resource, body, world.company, party, world.moment()[:10])
    rules.complete_periods(body, body)
    errors: list[str] = []
    if resource.lines:
        fields = world.catalog.line_fields(resource)
        body[resource.lines], errors = change_lines(world.catalog, fields, [], sent.get(resource.lines, []))
    return [*errors, *rules.errors(world.catalog, world.company, resource, body, party)]


def _status(resource: Resource, body: Mapping[str, Any]) -> str:
    """Return the status that a body gives a document (hold or not) or a record (its own)."""
    if resource.is_document:
        return "Hold" if value(body, "hold") else "Balanced"
    return str(value(body, "status") or "Active")


def _check_changeable(resource: Resource, stored: Stored) -> None:
    """Refuse to touch a released document."""
    if resource.is_document and stored.status not in rules.CHANGEABLE:
        raise Refusal(answers.message(400, "Document can't be updated because it is already released."))
