"""/admin/audit: what users did, in GoTrue's words where it has any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ogel.features.accounts.administration.history import History
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.admin_users import READ
from ogel.features.accounts.gotrue.pages import page_wanted
from ogel.features.accounts.gotrue.shapes import Json
from ogel.features.accounts.users.service import EMAIL
from ogel.features.audit.contract import PersonsRecord
from ogel.kernel.ids import uuid_of
from ogel.runtime.http.input import Pairs
from ogel.runtime.http.route import Call, Reply, Route

# Our actions by GoTrue's: its name, and the kind of log that it counts as there.
_ACTIONS: Mapping[str, tuple[str, str]] = {
    "auth.sign_in": ("login", "account"),
    "auth.session_ended": ("logout", "account"),
    "auth.code_sent": ("user_confirmation_requested", "user"),
    "user.create": ("user_signedup", "team"),
    "user.update": ("user_modified", "user"),
    "user.delete": ("user_deleted", "team"),
    "identity.delete": ("identity_unlinked", "user"),
    "factor.enroll": ("factor_in_progress", "factor"),
    "factor.refuse": ("verification_attempted", "factor"),
    "auth.factor_verified": ("mfa_code_login", "account"),
    "factor.delete": ("factor_deleted", "factor"),
    "factor.update": ("factor_updated", "factor"),
    "recovery_codes.generate": ("recovery_codes_generated", "factor"),
    "recovery_codes.regenerate": ("recovery_codes_regenerated", "factor"),
    "recovery_codes.use": ("recovery_codes_verified", "factor"),
}
_OTHER_LOG = "account"
_MOST_CHARACTERS = 200


class AdminAuditRoutes:
    def __init__(self, history: History) -> None:
        self._history = history

    def routes(self) -> Sequence[Route]:
        summary = "List what users did, newest first"
        return [Route("GET", "/admin/audit", self._list, READ, summary, query=Pairs, returns=list[Json])]

    async def _list(self, call: Call[Any, Pairs]) -> Reply:
        wanted = page_wanted("/admin/audit", call.query)
        author, actions = _search(wanted.parameters.get("query", ""))
        found, total = await self._history.page(author, actions, wanted.offset, wanted.per_page)
        addresses = await self._history.addresses(found)
        shapes = [_shape(each, addresses.get(each.user_id, "")) for each in found]
        return Reply(shapes, headers=wanted.headers(total))


def _search(query: str) -> tuple[str | None, Sequence[str] | None]:
    """Returns whose records are looked for, by part of their address, and of which actions."""
    if not query:
        return None, None
    scope, colon, value = query.partition(":")
    if (
        not colon
        or scope not in ("author", "action", "type")
        or len(value) > _MOST_CHARACTERS
        or "\0" in value
    ):
        raise AccountError(400, "validation_failed", f"Invalid query scope: {query[:_MOST_CHARACTERS]}")
    if scope == "author":
        return value, None
    place = 0 if scope == "action" else 1
    ours = [action for action, theirs in _ACTIONS.items() if theirs[place] == value]
    return None, ours or [value]


def _shape(record: PersonsRecord, address: str) -> Json:
    action, log = _ACTIONS.get(record.action, (record.action, _OTHER_LOG))
    payload: Json = {
        "action": action,
        "actor_id": record.user_id,
        "actor_username": address,
        "actor_via_sso": False,
        "log_type": log,
    }
    if traits := _traits(record):
        payload["traits"] = traits
    return {
        "id": uuid_of(record.id),
        "payload": payload,
        "created_at": record.created_at,
        "ip_address": record.ip_address or "",
    }


def _traits(record: PersonsRecord) -> Json:
    """What else is known, as clients look for it: by which provider somebody signed in; of a sign-out nothing."""
    match record.action:
        case "auth.sign_in":
            method = record.metadata.get("method")
            return {"provider": EMAIL if method in ("password", "otp") else method}
        case "auth.code_sent":
            return {"provider": EMAIL}
        case "auth.session_ended" if record.metadata.get("reason") == "signed_out":
            return {}
    return record.metadata
