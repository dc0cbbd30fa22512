"""The steps of each file, by the line that they come before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from tests.golden.gotrue.forged import forge, forge_admins
from tests.golden.gotrue.oauth_steps import consents, id_token, id_token_of_another_key, signs_in_there
from tests.golden.gotrue.steps import (
    Step,
    burst,
    code_of_phone,
    followed,
    made_by_admin,
    passes,
    refreshed,
    signed_in,
    signed_up,
    tampered,
    verifier,
)
from tests.support.issuer import GRACE, Person

ADA = "ada@example.com"


def _interval_is_over(profile: str) -> Step:
    return passes("UPDATE sessions SET previous_until = previous_until - interval '1 hour'", profile=profile)


_CODES_EXPIRE = "UPDATE one_time_codes SET expires_at = now() - interval '1 second'"
_A_DAY_PASSES = (
    "UPDATE sessions SET created_at = created_at - interval '25 hours', amr = ("
    "SELECT jsonb_agg(a || jsonb_build_object('timestamp', (a ->> 'timestamp')::bigint - 90000))"
    " FROM jsonb_array_elements(amr) AS a);"
    "UPDATE users SET last_sign_in_at = last_sign_in_at - interval '25 hours'"
)

_NEWEST_IS_AAL2 = (
    "UPDATE sessions SET aal = 'aal2', factor_id = (SELECT id FROM mfa_factors WHERE status = 'verified')"
    " WHERE created_at = (SELECT max(created_at) FROM sessions)"
)
_KC_ADA = Person()
_KC_UNVERIFIED = Person("kc-unv", "unv@example.com", verified=False, name="Unv", more={})
_KC_NO_EMAIL = Person("kc-none", None, name="None", more={})
_KC_BOB = Person("kc-bob", "bob@example.com", name="Bob", more={})
_KC_CAROL = Person("kc-carol", "carol@other.example.com", name="Carol", more={})
_KC_LINK = Person("kc-link", "link@other.example.com", name="L", more={})
_KC_OAUTH = Person("kc-pk", "oauth@example.com", name="O", more={})
# As its claim has it: the hash of what the client sends.
_NONCE = hashlib.sha256(b"golden-nonce").hexdigest()
_ID_ADA = Person(more={})
_ID_OTHER = Person("kc-id", "idt@example.com", name="Id", more={})

STORIES: Mapping[str, Mapping[str, Sequence[Step]]] = {
    "admin_audit.jsonl": {"logout": [signed_up(ADA, n=1)]},
    "admin_users.jsonl": {
        "list with no token": [signed_up("eve@example.com", n=4), forge_admins],
        "cursor pagination: first page": [
            made_by_admin(*(f"u{at}@example.com" for at in range(4)), profile="oauthserver")
        ],
    },
    "authorize_oauth_pkce.jsonl": {
        "implicit: callback": [consents(_KC_ADA)],
        "pkce: callback": [consents(_KC_ADA)],
        "email not verified by the provider: callback": [consents(_KC_UNVERIFIED)],
        "no email from the provider: callback": [consents(_KC_NO_EMAIL)],
        "no email from the provider, pkce: callback": [consents(_KC_NO_EMAIL)],
        "same verified email links: authorize": [signed_up("bob@example.com")],
        "same verified email links: callback": [consents(_KC_BOB)],
        "github: callback": [consents(GRACE)],
        "signups disabled: callback": [consents(_KC_ADA)],
    },
    "errors.jsonl": {"no token": [signed_up(ADA, n=1), forge]},
    "identities.jsonl": {
        "user identities come with the user": [signed_up("carol@example.com", n=1)],
        "link: callback": [consents(_KC_CAROL)],
        "link again: callback": [consents(_KC_CAROL)],
        "link to another user: authorize": [signed_up("dave@example.com", n=3)],
        "link to another user: callback": [consents(_KC_CAROL)],
    },
    "logout.jsonl": {
        "logout local": [signed_up(ADA, n=1), *(signed_in(ADA, n) for n in (2, 3, 4))],
        "logout global": [signed_in(ADA, 5)],
        "logout without scope is global": [signed_in(ADA, 6)],
        "logout unknown scope": [signed_in(ADA, 7)],
    },
    "mfa_totp.jsonl": {
        "enroll totp": [signed_up(ADA, n=1)],
        "verify": [code_of_phone("<otp:totp1>", "<secret:totp4>", -1)],
        # The first session has ended: an old refresh token of it was shown again.
        "enroll at aal2": [signed_in(ADA, 2), passes(_NEWEST_IS_AAL2)],
        "verify in the second session": [code_of_phone("<otp:totp2>", "<secret:totp4>")],
        "challenge a factor of another user": [signed_up("bob@example.com", n=7)],
    },
    "otp_magiclink.jsonl": {
        "shortotp: verify after expiry": [passes(_CODES_EXPIRE, profile="shortotp")],
    },
    "rate_limit.jsonl": {
        name: [burst("rate_limit.jsonl", name)]
        for name in (
            "anonymous sign-in over the limit",
            "token burst (password)",
            "token burst (refresh_token)",
            "token burst (pkce)",
            "verify burst",
            "recover burst",
            "signup burst",
            "settings burst",
        )
    },
    "reauthenticate.jsonl": {
        "password change in an old session without nonce": [
            signed_up(ADA, n=1, profile="strict", password="Another-horse-0"),
            passes(_A_DAY_PASSES, profile="strict"),
            refreshed(1, profile="strict"),
        ],
    },
    "recover.jsonl": {"recover": [signed_up(ADA, n=1)]},
    "refresh.jsonl": {
        "reuse of the grandparent after the interval": [_interval_is_over("autoconfirm")],
        "fourth family: refresh": [signed_in(ADA, 6, 5, profile="autoconfirm")],
        "fourth family: reuse of the grandparent after the interval": [_interval_is_over("autoconfirm")],
        "fourth family: the active token an interval after the revocation": [
            _interval_is_over("autoconfirm")
        ],
        "third generation: refresh": [signed_in(ADA, 9, 8, profile="autoconfirm")],
        "second session: refresh": [signed_in(ADA, 15, 14, profile="autoconfirm")],
        "second session: parent of the active token after the interval": [_interval_is_over("autoconfirm")],
        "8 parallel refreshes of one token": [signed_in(ADA, 18, 16, profile="autoconfirm")],
        "log out": [signed_in(ADA, 19, 18, profile="autoconfirm")],
        "refresh with expired access token in the header": [signed_in(ADA, 20, 19, profile="autoconfirm")],
        "strict: refresh after the time box": [
            passes("UPDATE sessions SET not_after = now() - interval '1 second'", profile="strict")
        ],
        "v2: grandparent after the interval": [_interval_is_over("rt2")],
        "v2: new session, parent of the active token after the interval": [_interval_is_over("rt2")],
        "v2: tampered token": [tampered("<refresh_token:r32>", "<refresh_token:tampered>")],
    },
    "resend.jsonl": {"start an email change": [signed_in(ADA, 2)]},
    "token_id_token.jsonl": {
        "id_token": [id_token(_ID_ADA)],
        "id_token with nonce": [id_token(_ID_ADA, nonce=_NONCE)],
        "id_token nonce only in the token": [id_token(_ID_ADA, nonce=_NONCE)],
        "id_token by issuer and client_id": [id_token(_ID_ADA)],
        "id_token wrong audience": [id_token(_ID_ADA, aud="other")],
        "id_token expired": [id_token(_ID_ADA, exp=1_600_000_000)],
        "id_token wrong key": [id_token_of_another_key(_ID_ADA)],
        "id_token no provider": [id_token(_ID_ADA)],
    },
    "token_password.jsonl": {
        "password sign-in": [signed_up(ADA, n=1, name="Ada")],
        "ban the user": [signed_up("banned@example.com", n=6, user="<uuid:user3>")],
    },
    "user_update.jsonl": {
        "get user": [signed_up(ADA, n=1, name="Ada", keep=1), signed_in(ADA, 2)],
        "email of another user": [signed_up("bob@example.com")],
    },
    "client_auth_js.jsonl": {
        "mfa.verify": [code_of_phone("<otp:totp1>", "<secret:totp1>", -1)],
        "mfa.challengeAndVerify (2)": [code_of_phone("<otp:totp2>", "<secret:totp1>")],
        "signUp pkce": [verifier(3, "<b64url:challenge1>")],
        "resetPasswordForEmail pkce": [verifier(4, "<b64url:challenge3>")],
        "signInWithOtp pkce": [verifier(1, "<b64url:challenge2>")],
        "getUserIdentities after linking": [signs_in_there(_KC_LINK)],
        "signInWithIdToken": [id_token(_ID_OTHER)],
        "exchangeCodeForSession mail link": [followed("pkce_<hash:h10>", "magiclink", "<uuid:auth_code1>")],
        "exchangeCodeForSession oauth": [
            verifier(2, "<b64url:code_challenge1>"),
            signs_in_there(
                _KC_OAUTH,
                {
                    "provider": "keycloak",
                    "redirect_to": "http://app.example.com/in",
                    "code_challenge": "<b64url:code_challenge1>",
                    "code_challenge_method": "s256",
                },
                "<uuid:auth_code2>",
            ),
        ],
    },
    "client_supabase_auth_py.jsonl": {
        "mfa.verify": [code_of_phone("<otp:totp3>", "<secret:totp1>", -1)],
        "mfa.challenge_and_verify (2)": [code_of_phone("<otp:totp4>", "<secret:totp1>")],
        "sign_in_with_id_token": [id_token(_ID_OTHER, name=None)],
        "pkce sign_in_with_otp": [verifier(1, "<b64url:challenge1>")],
        "pkce exchange_code_for_session": [followed("pkce_<hash:h7>", "magiclink", "<uuid:auth_code1>")],
    },
}
