"""Give out tokens and judge them: who may come in, for which company, with which rights."""

import secrets
from urllib.parse import parse_qsl

from importer.sandbox.answers import Answer, Call, as_json, gateway_error, message
from importer.sandbox.world import World

PATH = "/connect/token"
_RIGHTS = {"GET": ("read",), "POST": ("create",), "PUT": ("update",), "DELETE": ("delete",)}


def issue(world: World, call: Call) -> Answer:
    """Answer a token request; a token for the customer's tenant is given too, and fails later."""
    if call.method != "POST":
        return Answer(404)
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    settings = world.settings
    if form.get("grant_type") != "client_credentials":
        return as_json(400, {"error": "unsupported_grant_type"})
    client, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not client or not secret or (settings.clients and settings.clients.get(client) != secret):
        return as_json(400, {"error": "invalid_client"})
    scopes = form.get("scope", "").split() or list(settings.scopes)
    if not set(scopes) <= set(settings.scopes):
        return as_json(400, {"error": "invalid_scope"})
    tenant = form.get("tenant_id", "").lower()
    special = settings.customer_tenants | settings.unlicensed_tenants
    if settings.clients and tenant != world.store.meta("company") and tenant not in special:
        return as_json(400, {"error": "invalid_request", "error_description": "The tenant is not known."})
    token = secrets.token_urlsafe(32)
    row = (token, tenant, " ".join(scopes), world.clock() + settings.token_lifetime_s)
    with world.store.change():
        world.store.rows("INSERT INTO tokens VALUES (?, ?, ?, ?)", row)
    granted = {"access_token": token, "expires_in": settings.token_lifetime_s, "token_type": "Bearer"}
    return as_json(200, {**granted, "scope": " ".join(scopes)})


def refuse(world: World, call: Call) -> Answer | None:
    """Return the answer to a request that may not come in, None for one that may."""
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    found = world.store.rows("SELECT tenant, scope, expires FROM tokens WHERE token = ?", (token,))
    if not found or kind.lower() != "bearer":
        return unauthorized() if world.settings.require_token else None
    tenant, scope, expires = found[0]
    if expires <= world.clock() or tenant in world.settings.customer_tenants:
        return unauthorized()
    if tenant in world.settings.unlicensed_tenants:
        return gateway_error(403, "No license for this company.", "12027")
    wanted = ("create", "update") if "/action/" in call.path.lower() else _RIGHTS.get(call.method, ())
    if not {right.rpartition(":")[2] for right in scope.split()} & set(wanted):
        return message(403, "The token lacks the scope for this operation.")
    return None


def unauthorized() -> Answer:
    """Answer 401."""
    body = {"statusCode": 401, "message": "Unauthorized. Access token is missing or invalid."}
    return as_json(401, body, {"WWW-Authenticate": "Bearer"})
