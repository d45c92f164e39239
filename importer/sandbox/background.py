"""Carry out requests in the background: 202 at once, the work a moment later, its outcome kept for a day."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from importer.sandbox.answers import Answer, Call, as_json, message
from importer.sandbox.world import World, new_id

HEADER = "erp-api-background"
_KEPT_S = 24 * 3600
_RUNNING = -1


def accept(world: World, call: Call, prefix: str) -> Answer:
    """Take a request on and answer where its state can be read."""
    job = new_id()
    now = world.clock()
    asked = {
        "method": call.method,
        "path": call.path,
        "query": call.query,
        "headers": {name: text for name, text in call.headers.items() if name == "if-match"},
        "body": base64.b64encode(call.body).decode("ascii"),
        "origin": call.origin,
        "prefix": prefix,
    }
    with world.store.change():
        sql = "INSERT INTO jobs (id, received, due, request) VALUES (?, ?, ?, ?)"
        world.store.rows(sql, (job, now, now + world.settings.background_delay_s, json.dumps(asked)))
    address = f"{call.origin}{prefix}/v1/background/{job}"
    return as_json(202, {"id": job, "stateLocation": address}, {"Location": address})


def due(world: World) -> list[tuple[str, Call]]:
    """Claim the requests whose time has come; no other process gets the same ones."""
    waiting = "SELECT id, request FROM jobs WHERE status IS NULL AND due <= ?"
    if not world.store.rows(waiting, (world.clock(),)):
        return []
    with world.store.change():
        found = world.store.rows(waiting, (world.clock(),))
        for job, _ in found:
            world.store.rows("UPDATE jobs SET status = ? WHERE id = ?", (_RUNNING, job))
    return [(job, _call(json.loads(request))) for job, request in found]


def finish(world: World, job: str, answer: Answer) -> None:
    """Keep the outcome of a request."""
    with world.store.change():
        sql = "UPDATE jobs SET status = ?, headers = ?, body = ? WHERE id = ?"
        world.store.rows(sql, (answer.status, json.dumps(dict(answer.headers)), answer.body, job))


def state(world: World, call: Call, prefix: str, keys: Sequence[str]) -> Answer:
    """Answer the state of a request, or with `/content` what it answered."""
    sql = "SELECT received, due, request, status, headers, body FROM jobs WHERE id = ?"
    found = world.store.rows(sql, (keys[0],))
    if call.method != "GET" or not found or keys[1:] not in ([], ["content"]):
        return Answer(404)
    received, due_at, request, status, headers, body = found[0]
    if world.clock() - received > _KEPT_S:
        return message(410, "The background request is no longer kept.")
    done = status is not None and status != _RUNNING
    if keys[1:]:
        return Answer(200, {"Content-Type": "application/json"}, body) if done and body else Answer(404)
    asked = json.loads(request)
    shown: dict[str, Any] = {
        "id": keys[0],
        "status": "Finished" if done else "Started",
        "statusCode": status if done else 0,
        "receivedUtc": _time(received),
        "startedUtc": _time(received),
        "finishedUtc": _time(due_at) if done else None,
        "webhookAddress": None,
        "errorMessage": None,
        "reference": None,
        "originalUri": f"{asked['origin']}{asked['path']}",
        "hasResponseContent": bool(done and body),
        "hasRequestContent": bool(asked["body"]),
        "contentLocation": f"{call.origin}{prefix}/v1/background/{keys[0]}/content" if done and body else None,
        "responseHeaders": json.loads(headers) if done else {},
    }
    return as_json(200, shown)


def _call(asked: dict[str, Any]) -> Call:
    """Return the request that was taken on."""
    return Call(
        asked["method"],
        asked["path"],
        asked["query"],
        asked["headers"],
        base64.b64decode(asked["body"]),
        asked["origin"],
    )


def _time(seconds: float) -> str:
    """Return a time with its offset, as the states of background requests show it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
