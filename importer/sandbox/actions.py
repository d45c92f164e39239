"""Carry out the actions of a resource: release, reverse, and those that are only noted (letters, sending)."""

from collections.abc import Callable, Mapping
from typing import Any

from importer.sandbox import answers, rules
from importer.sandbox.answers import Answer, Call, Refusal
from importer.sandbox.catalog import Action, Resource
from importer.sandbox.operations import body_of, check_version, choose_number, existing, keep_new
from importer.sandbox.store import Stored
from importer.sandbox.world import World, new_id

Effect = Callable[[World, Resource, Action, Stored], dict[str, Any]]


def act(world: World, resource: Resource, number: str, name: str, call: Call) -> Answer:
    """Carry out an action of a document; 200 says only that it was taken on.

    Raises: Refusal (404) where the resource has no such action.
    """
    known = next((known for known in resource.actions if known.lower() == name.lower()), None)
    if known is None:
        raise Refusal(Answer(404))
    action = resource.actions[known]
    body = body_of(world, world.catalog.types[action.body], call) if action.body else {}
    with world.store.change():
        stored = existing(world, resource, number)
        check_version(stored, call)
        result = {"actionId": new_id(), "actionResult": "Done", "errorInfo": ""}
        result.update(_EFFECTS[action.effect](world, resource, action, stored))
        world.store.note_action(resource.name, number, known, body, world.moment())
    return answers.as_json(200, result)


def _release(world: World, resource: Resource, _action: Action, stored: Stored) -> dict[str, Any]:
    """Queue a release; the document opens a moment later."""
    if stored.status not in rules.CHANGEABLE:
        raise Refusal(answers.message(400, "Document can't be released because it is already released."))
    if stored.status == "Hold":
        raise Refusal(answers.message(400, f"{resource.record} '{stored.number}' is on hold and can't be released."))
    world.store.open_later(stored, world.clock() + world.settings.release_delay_s)
    return {"actionResult": "Queued"}


def _record(_world: World, resource: Resource, _action: Action, stored: Stored) -> dict[str, Any]:
    """Do nothing but be noted; a document's answer names it."""
    if resource.is_document:
        return {"refNbr": stored.number, "documentType": resource.document_type}
    return {}


def _reverse(world: World, resource: Resource, action: Action, stored: Stored) -> dict[str, Any]:
    """Create the document that takes a released one back."""
    if stored.status in rules.CHANGEABLE:
        raise Refusal(answers.message(400, "Document can't be reversed because it is not released."))
    target = world.catalog.resources[action.creates or resource.name]
    body = _fitting(stored.body, {name: target.body[name].kind for name in target.body})
    if resource.lines and target.lines:
        kinds = {name: spec.kind for name, spec in world.catalog.line_fields(target).items()}
        body[target.lines] = [_fitting(line, kinds) for line in stored.body[resource.lines]]
    body.pop(target.number, None)
    number = choose_number(world, target, {}, target.etag_on_create[0])
    keep_new(world, target, number, body)
    return {"referenceNumber": number}


def _fitting(body: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a body that another type has too."""
    return {name: part for name, part in body.items() if name in kinds}


_EFFECTS: dict[str, Effect] = {"release": _release, "record": _record, "reverse": _reverse}
