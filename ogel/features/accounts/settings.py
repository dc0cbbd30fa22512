"""The settings of accounts."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.knobs import Section, endpoint, flag, knob, whole


@dataclass(frozen=True, slots=True)
class AccountsSettings(Section):
    site_url: str = knob(
        "OGEL_SITE_URL",
        "SITE_URL",
        takes=endpoint(),
        default="http://localhost:3000",
        meaning="The app that people come back to from links in mail and from other sites.",
    )
    api_url: str | None = knob(
        "OGEL_AUTH_URL",
        "API_EXTERNAL_URL",
        takes=endpoint(),
        default=None,
        meaning="Where clients reach /auth/v1: the issuer of tokens, and what links in mail begin with.",
    )
    signup: bool = knob(
        "OGEL_AUTH_SIGNUP",
        takes=flag(),
        default=True,
        meaning="Whether people may sign themselves up.",
    )
    access_token_seconds: int = knob(
        "OGEL_AUTH_TOKEN_SECONDS",
        "JWT_EXPIRY",
        takes=whole(30, 86_400, "seconds"),
        default=600,
        meaning="How long an access token is good for.",
    )
