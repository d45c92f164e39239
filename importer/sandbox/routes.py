"""Find what a path means: which resource, number and action, under either prefix and in any casing."""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote

from importer.sandbox import actions, background, operations
from importer.sandbox.answers import Answer, Call, Refusal
from importer.sandbox.catalog import Catalog, Resource
from importer.sandbox.world import World

_PATH = re.compile(r"(?P<prefix>(?:/API/controller/api)?)/(?P<version>v[12])/(?P<rest>.+)", re.IGNORECASE)
_B64 = re.compile(r"b64\((.*)\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Route:
    """Hold what a path of a resource says."""

    prefix: str
    version: str
    resource: Resource
    number: str | None
    action: str | None


def respond(world: World, call: Call) -> Answer:
    """Answer one request that has been let in, at once or in the background."""
    try:
        if (rest := _match(call.path)) and rest["rest"].lower().startswith("background/"):
            return background.state(world, call, rest["prefix"], rest["rest"].split("/")[1:])
        route = find(world.catalog, call.path)
        if route is None:
            return Answer(404)
        if background.HEADER in call.headers:
            return background.accept(world, call, route.prefix)
        return carry_out(world, route, call)
    except Refusal as refusal:
        return refusal.answer


def run_due(world: World) -> None:
    """Carry out the background requests whose time has come, and open what was released."""
    world.store.open_due(world.clock(), world.moment())
    for job, call in background.due(world):
        try:
            route = find(world.catalog, call.path)
            answer = carry_out(world, route, call) if route else Answer(404)
        except Refusal as refusal:
            answer = refusal.answer
        background.finish(world, job, answer)


def find(catalog: Catalog, path: str) -> Route | None:
    """Return the route of a path, None where there is none."""
    found = _match(path)
    if found is None:
        return None
    name, *keys = found["rest"].split("/")
    resource = catalog.at(unquote(name))
    if resource is None:
        return None
    number = action = None
    match keys:
        case []:
            pass
        case [key]:
            number = _key(key)
        case [key, word, last] if word.lower() == "action":
            number, action = _key(key), unquote(last)
        case _:
            return None
    return Route(found["prefix"], found["version"].lower(), resource, number, action)


def carry_out(world: World, route: Route, call: Call) -> Answer:
    """Do what a route and a method ask for; what the API does not offer is 404."""
    resource, number = route.resource, route.number
    if call.method == "POST" and number is None and route.version in resource.create:
        return operations.create(world, resource, call, version=route.version, prefix=route.prefix)
    if route.version != "v1":
        return Answer(404)
    if number is None:
        return operations.read_list(world, resource, call) if call.method == "GET" else Answer(404)
    if route.action:
        return actions.act(world, resource, number, route.action, call) if call.method == "POST" else Answer(404)
    if call.method == "GET":
        return operations.read(world, resource, number)
    if call.method == "PUT":
        return operations.update(world, resource, number, call)
    if call.method == "DELETE" and resource.delete:
        return operations.delete(world, resource, number, call)
    return Answer(404)


def _match(path: str) -> re.Match[str] | None:
    """Take a path apart, a slash at its end left out."""
    return _PATH.fullmatch(path.rstrip("/"))


def _key(segment: str) -> str:
    """Read a path key, percent-encoded or as b64(...)."""
    text = unquote(segment)
    packed = _B64.fullmatch(text)
    if packed is None:
        return text
    try:
        return base64.urlsafe_b64decode(packed[1] + "=" * (-len(packed[1]) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return text
