"""
Where Ogel answers otherwise than the recorded server, and why. A difference says what comes instead, so that one which
no longer is one fails the test of its file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.gotrue.expectation import ALL, GONE, Difference, Instead, Refused, is_newer
from tests.golden.gotrue.oauth_differences import OAUTH
from tests.golden.gotrue.transcript import Json, Line

# Tokens of other formats than the recorded ones.
FORMATS: Mapping[str, str] = {}

NOTHING_THERE = Refused(404, "validation_failed", "There is nothing at this path.")


def everywhere(line: Line) -> Sequence[Difference]:
    """What is so in every answer."""
    return [Difference(ALL, ours, why) for ours, why in _everywhere(line) if ours]


def _everywhere(line: Line) -> Sequence[tuple[Json | Refused, str]]:
    status, body = line.answer["status"], line.answer.get("body")
    tokens: Json = {"claims": {"jti": "<uuid>"}, "header": {"kid": "<b64url>"}}
    if line.profile == "hs256":
        tokens["header"]["alg"] = "ES256"
        tokens["claims"]["iss"] = "http://auth.example.com/auth/v1"
    return [
        (NOTHING_THERE if body == "404 page not found\n" else {}, "Errors are all told in one way."),
        (_not_allowed(line) if status == 405 else {}, "Errors are all told in one way."),
        (
            {"headers": {"Content-Type": GONE}, "body": Instead(None)} if body == "<html>" else {},
            "Nobody reads the page of a redirect.",
        ),
        (
            {"headers": {"Retry-After": "<any>"}} if status == 429 else {},
            "By it, programs know when to come again.",
        ),
        (
            {"decoded": {"*": tokens}} if line.answer["decoded"] else {},
            "Each token has an id, and keys are called by their thumbprints (RFC 7638). A secret only verifies.",
        ),
    ]


def _not_allowed(line: Line) -> Json:
    recorded = line.answer["headers"]["Allow"]
    allowed = {*recorded.split(", "), "OPTIONS", *(["HEAD"] if "GET" in recorded else [])}
    headers = {"Content-Type": "application/json", "X-Sb-Error-Code": "<any>", "Allow": ", ".join(allowed)}
    body = {"code": 405, "error_code": "<any>", "msg": "<any>"}
    if is_newer(line):
        headers["X-Supabase-Api-Version"] = "2024-01-01"
        body = {"code": "<any>", "message": "<any>"}
    return {"headers": headers, "body": body if line.request["method"] != "HEAD" else None}


ACCEPTED: Json = {
    "status": 200,
    "headers": {"Content-Type": "application/json"},
    "body": {},
    "mails": [],
    "decoded": {},
}
NOBODY_IS_TOLD = "Whoever asks would learn which addresses have accounts."
CODES_ARE_GOOD_ONCE = "A code gives one session, however many ask with it at once."
ONLY_S256 = (
    "A challenge that is the verifier itself protects nothing (RFC 9700 2.1.1); S256 is what clients send."
)
MORE_IS_RECORDED = "Ogel records each change: also that a code was used, and that an address is confirmed."
CHANGES_ARE_SHOWN = "The answer shows the identity as it is now, and not as it was before the change."
_ONE_OF_SIX: Json = {
    "statuses": Instead([200, 403, 403, 403, 403, 403]),
    "error_codes": Instead(["otp_expired"]),
    "distinct_refresh_tokens": 1,
    "distinct_access_tokens": 1,
}

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
    return {"id": f"<uuid:audit{at}>", "payload": payload, "created_at": "<time>", "ip_address": ""}


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


DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    **OAUTH,
    "admin_audit.jsonl": [
        Difference(
            "audit log", {"headers": {"X-Total-Count": "6"}, "body": Instead(_AUDIT_LOG)}, MORE_IS_RECORDED
        ),
        Difference("audit log by page", _last_page(3, 2), MORE_IS_RECORDED),
        Difference("audit log query author", _last_page(6, 1, "&query=author%3Aada"), MORE_IS_RECORDED),
    ],
    "admin_custom_providers.jsonl": [
        Difference(
            ALL,
            NOTHING_THERE,
            "Other sites are set by OGEL_AUTH_OIDC, where their secrets are; nobody who got hold of a key adds one.",
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
    "otp_magiclink.jsonl": [
        Difference("6 parallel verifications of one otp", _ONE_OF_SIX, CODES_ARE_GOOD_ONCE),
        Difference(
            [
                "otp unknown user, create_user false",
                "otp unknown user, create_user false, api version",
                "otp signups disabled, unknown user",
                "magiclink signups disabled, unknown user",
            ],
            Instead(ACCEPTED),
            NOBODY_IS_TOLD,
        ),
        Difference(
            "otp with pkce, plain",
            Refused(400, "validation_failed", "Invalid code_challenge_method"),
            ONLY_S256,
        ),
        Difference(
            "verify pkce token_hash by POST",
            Refused(403, "otp_expired", "Email link is invalid or has expired"),
            "No mail was sent by the line before.",
        ),
        Difference(
            "otp autoconfirm, verify",
            {"body": {"user": {"identities": {"*": {"identity_data": {"email_verified": True}}}}}},
            "The code has shown that the address is theirs.",
        ),
    ],
    "oauth_server.jsonl": [
        Difference(
            ALL, NOTHING_THERE, "Ogel signs people in to its own apps; it is no identity provider of others."
        ),
    ],
}

# Files whose routes are still being written, and by whom.
PENDING: Mapping[str, str] = {
    "admin_generate_link.jsonl": "codes",
    "anonymous.jsonl": "users",
    "client_auth_js.jsonl": "all",
    "client_supabase_auth_py.jsonl": "all",
    "cors.jsonl": "gateway",
    "errors.jsonl": "sessions",
    "rate_limit.jsonl": "codes, users",
    "reauthenticate.jsonl": "codes",
    "recover.jsonl": "codes",
    "refresh.jsonl": "sessions",
    "settings_health_jwks.jsonl": "users, sessions",
    "signup.jsonl": "users",
    "token_password.jsonl": "users",
    "user_update.jsonl": "users",
    "verify.jsonl": "codes",
}
