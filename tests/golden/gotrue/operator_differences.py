"""Where operators and second factors are answered otherwise than by the recorded server, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import GONE, Difference, Instead
from tests.golden.gotrue.refused import Refused
from tests.golden.gotrue.transcript import Json

MORE_IS_RECORDED = "Ogel records each change: also that a code was used, and that an address is confirmed."
CHANGES_ARE_SHOWN = "The answer shows the identity as it is now, and not as it was before the change."
_VERIFIED_FACTOR: Json = {
    "id": "<uuid:factor4>",
    "created_at": "<time>",
    "updated_at": "<time>",
    "status": "verified",
    "friendly_name": "phone2",
    "factor_type": "totp",
    "phone": "",
    "last_challenged_at": "<time>",
}


def _recorded(at: int, action: str, log: str, **traits: object) -> Json:
    payload: Json = {
        "action": action,
        "actor_id": "<uuid:user1>",
        "actor_username": "ada@example.com",
        "actor_via_sso": False,
        "log_type": log,
    }
    if traits:
        payload["traits"] = traits
    return {"id": f"<uuid:audit{at}>", "payload": payload, "created_at": "<time>", "ip_address": "<ip>"}


_AUDIT_LOG = [
    _recorded(1, "logout", "account"),
    _recorded(2, "login", "account", provider="email"),
    _recorded(3, "user_modified", "user", changed=["email_confirmed_at", "user_metadata"]),
    _recorded(4, "auth.code_used", "account", purpose="signup"),
    _recorded(5, "user_confirmation_requested", "user", provider="email"),
    _recorded(6, "user_signedup", "team", provider="email"),
]


def _with_identity(email: str, verified: bool) -> Json:
    identity = {"email": email, "identity_data": {"email": email, "email_verified": verified}}
    return {"body": {"identities": {"*": identity}}}


def _last_page(last: int, per_page: int, following: str = "") -> Json:
    ends = f"per_page={per_page}{following}>; rel="
    link = f'</admin/audit?page=2&{ends}"next", </admin/audit?page={last}&{ends}"last"'
    return {"headers": {"X-Total-Count": "6", "Link": link}}


OPERATORS: Mapping[str, Sequence[Difference]] = {
    "admin_audit.jsonl": [
        Difference(
            "audit log", {"headers": {"X-Total-Count": "6"}, "body": Instead(_AUDIT_LOG)}, MORE_IS_RECORDED
        ),
        Difference("audit log by page", _last_page(3, 2), MORE_IS_RECORDED),
        Difference("audit log query author", _last_page(6, 1, "&query=author%3Aada"), MORE_IS_RECORDED),
        Difference(
            ["audit log by page", "audit log query author", "audit log query action", "audit log query type"],
            {"body": {"*": {"ip_address": "<ip>"}}},
            "Where somebody came from is known.",
        ),
    ],
    "admin_users.jsonl": [
        Difference(
            "create with a bad hash",
            Refused(400, "validation_failed", "password_hash is of no kind that is known here"),
            "What a client did wrong is no fault of the server.",
        ),
        Difference(
            "update email to a taken one",
            Refused(422, "email_exists", "A user with this email address has already been registered"),
            "What a client did wrong is no fault of the server.",
        ),
        Difference("update email", _with_identity("ada.new@example.com", False), CHANGES_ARE_SHOWN),
        Difference(
            "update email confirmed", _with_identity("ada.newer@example.com", True), CHANGES_ARE_SHOWN
        ),
        Difference(
            "get soft-deleted",
            {"body": {"new_email": GONE, "new_phone": GONE}},
            "There was no new address that could be hashed.",
        ),
        Difference(
            "list still shows the soft-deleted",
            {"body": {"users": {"*": {"new_email": GONE, "new_phone": GONE}}}},
            "There was no new address that could be hashed.",
        ),
        Difference(
            "token of the soft-deleted",
            Refused(403, "user_not_found", "User from sub claim in JWT does not exist"),
            "Who is deleted is gone, softly or not.",
        ),
    ],
    "mfa_totp.jsonl": [
        Difference(
            ["verify", "verify in the second session"],
            {"body": {"user": {"factors": Instead([_VERIFIED_FACTOR])}}},
            "A right code ends enrolments that were not completed; the answer does not show them once more.",
        ),
        Difference(
            "verify the same challenge again",
            Refused(422, "mfa_challenge_expired"),
            "It has nothing to do with addresses.",
        ),
        Difference(
            "the refresh token of before the upgrade",
            Refused(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used"),
            "It is two steps behind: somebody has a copy.",
        ),
    ],
}
