"""The recorded servers' profiles, as settings of Ogel."""

from __future__ import annotations

from collections.abc import Mapping

# The shared secret that the recorded server verified by, beside its own key.
LEGACY_SECRET = "golden-legacy-secret-golden-legacy-secret-golden"
# As `confirm` was set, what the others build on.
_CONFIRM: Mapping[str, str] = {
    "OGEL_AUTH_URL": "http://auth.example.com/auth/v1",
    "OGEL_SITE_URL": "http://app.example.com",
    "OGEL_REDIRECT_URLS": "http://app.example.com/**,http://other.example.com/welcome,com.example.app://*",
    "OGEL_AUTH_TOKEN_SECONDS": "3600",
    "OGEL_AUTH_AUTOCONFIRM": "false",
    "OGEL_AUTH_ANONYMOUS": "true",
    "OGEL_AUTH_PASSWORD_LENGTH": "6",
    "OGEL_AUTH_LEGACY_JWT_SECRET": LEGACY_SECRET,
    "OGEL_AUTH_MANUAL_LINKING": "true",
    "OGEL_AUTH_MAIL_SECONDS": "0",
    "OGEL_AUTH_MAILS_TO_ADDRESS": "0",
    "OGEL_AUTH_MAILS": "0",
    "OGEL_AUTH_SECURE_EMAIL_CHANGE": "true",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_MAIL_FROM": "Acme <acme@example.com>",
    "OGEL_RATE_SIGN_IN": "off",
    "OGEL_RATE_READ": "off",
    "OGEL_RATE_WRITE": "off",
    "OGEL_RATE_WRONG_KEYS": "off",
}
_AUTOCONFIRM = {**_CONFIRM, "OGEL_AUTH_AUTOCONFIRM": "true"}
PROFILES: Mapping[str, Mapping[str, str]] = {
    "confirm": _CONFIRM,
    "autoconfirm": _AUTOCONFIRM,
    "closed": {**_CONFIRM, "OGEL_AUTH_SIGNUP": "false"},
    "noemail": {**_CONFIRM, "OGEL_AUTH_EMAIL": "false"},
    "shortotp": _CONFIRM,
    "currentpw": {**_AUTOCONFIRM, "OGEL_AUTH_CURRENT_PASSWORD": "true"},
    "hs256": {
        **_AUTOCONFIRM,
        "OGEL_AUTH_ANONYMOUS": "false",
        "OGEL_AUTH_MANUAL_LINKING": "false",
        "OGEL_AUTH_TOTP": "false",
        "OGEL_AUTH_REFRESH_REUSE_SECONDS": "0",
        "OGEL_AUTH_SECURE_EMAIL_CHANGE": "false",
    },
    "strict": {
        **_AUTOCONFIRM,
        "OGEL_AUTH_PASSWORD_LENGTH": "8",
        "OGEL_AUTH_PASSWORD_CHARACTERS": "abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789",
        "OGEL_AUTH_REAUTHENTICATE": "true",
        "OGEL_AUTH_SESSIONS_PER_USER": "1",
    },
    "limited": {
        **_CONFIRM,
        "OGEL_AUTH_MAIL_SECONDS": "60",
        "OGEL_AUTH_MAILS": "3",
        "OGEL_RATE_SIGN_IN": "30/5m",
        "OGEL_TRUSTED_PROXIES": "127.0.0.0/8",
    },
    "rt2": _AUTOCONFIRM,
    "oauthserver": _CONFIRM,
}
