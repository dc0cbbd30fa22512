"""Where client libraries of Supabase are answered otherwise than by the recorded server, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import GONE, Difference, Instead
from tests.golden.gotrue.oauth_differences import departures
from tests.golden.gotrue.transcript import Json

NOBODY_IS_TOLD = "Whoever asks would learn which addresses have accounts."
ALIKE = "Somebody is described alike however they sign in; when a token was issued says nothing of a person."
KEYS = "Keys are called by their thumbprints (RFC 7638)."
_SAID = {"aud": GONE, "exp": GONE, "iat": GONE, "provider_id": "kc-id", "custom_claims": {}}


def _by_id_token(said: Json) -> Json:
    return {
        "body": {
            "user": {
                "confirmed_at": "<time>",
                "user_metadata": said,
                "identities": {"*": {"identity_data": said}},
            }
        },
        "decoded": {"*": {"claims": {"user_metadata": said}}},
    }


JAVASCRIPT, PYTHON = "client_auth_js.jsonl", "client_supabase_auth_py.jsonl"
CLIENTS: Mapping[str, Sequence[Difference]] = {
    JAVASCRIPT: [
        *departures(JAVASCRIPT),
        Difference(
            "signUp weak password",
            {"headers": {"X-Sb-Error-Code": "weak_password"}},
            "Every error has its code in this header.",
        ),
        Difference(
            "signUp existing user",
            {
                "body": {
                    "role": "authenticated",
                    "user_metadata": {
                        "sub": "<uuid>",
                        "email": "ada@example.com",
                        "email_verified": False,
                        "phone_verified": False,
                    },
                    "identities": Instead("<any>"),
                }
            },
            NOBODY_IS_TOLD,
        ),
        Difference("getClaims", {"body": {"keys": {"*": {"kid": "<b64url>"}}}}, KEYS),
        Difference(
            "signInWithOtp unknown user, shouldCreateUser false",
            Instead(
                {
                    "status": 200,
                    "headers": {"Content-Type": "application/json"},
                    "body": {},
                    "mails": [],
                    "decoded": {},
                }
            ),
            NOBODY_IS_TOLD,
        ),
        Difference("signInWithIdToken", _by_id_token({**_SAID, "full_name": "Id"}), ALIKE),
        Difference(
            "admin.listUsers",
            {"body": {"users": {3: {"user_metadata": {**_SAID, "full_name": "Id"}}}}},
            ALIKE,
        ),
        Difference(
            "admin.deleteUser",
            {"body": {"phone": "", "new_phone": GONE}},
            "What was not there is not hashed.",
        ),
    ],
    PYTHON: [
        *departures(PYTHON),
        Difference("get_claims", {"body": {"keys": {"*": {"kid": "<b64url>"}}}}, KEYS),
        Difference("sign_in_with_id_token", _by_id_token(_SAID), ALIKE),
        Difference(
            ["admin.list_users", "admin.list_users page"],
            {"body": {"users": {1: {"user_metadata": _SAID}}}},
            ALIKE,
        ),
    ],
}

# What the libraries return of it.
RESULTS: Mapping[str, Json] = {
    "signInWithOtp unknown user, shouldCreateUser false": {
        "data": {"user": None, "session": None},
        "error": None,
    },
}
