"""The settings of accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlsplit

from ogel.features.accounts.codes.redirects import problem_of
from ogel.features.accounts.oauth.clients import OidcClient, client_ids, oidc_clients
from ogel.knobs import (
    Section,
    Takes,
    choice,
    endpoint,
    flag,
    knob,
    long_text,
    needs,
    quotas,
    real,
    text,
    whole,
)
from ogel.runtime.network.server import NamedServer
from ogel.runtime.rates.policy import Quota
from ogel.runtime.server_urls.parts import BadUrl

# Where a suite on one's own machine answers.
_LOCAL_URL = "http://localhost:8080/auth/v1"


def _signing(value: str) -> str:
    for algorithm in ("ES256", "EdDSA"):
        if value.lower() == algorithm.lower():
            return algorithm
    raise ValueError


def _sets(value: str) -> tuple[str, ...]:
    """As GoTrue's PASSWORD_REQUIRED_CHARACTERS: `abc:ABC:123`; a colon among the characters is written `\\:`."""
    sets = tuple(each.replace("\0", ":") for each in value.replace("\\:", "\0").split(":"))
    if "" in sets:
        raise ValueError
    return sets


_CHARACTERS = Takes("sets of characters with colons between them: abcdefgh:0123456789", _sets)


def redirects() -> Takes:
    """`*` and `?` stand for what has no dot and slash in it, `**` for anything; see codes/redirects.py."""

    def parse(value: str) -> tuple[str, ...]:
        listed = tuple(each.strip() for each in value.split(",") if each.strip())
        for each in listed:
            if (wrong := problem_of(each)) is not None:
                raise BadUrl(f"{each[:100]} {wrong}")
        return listed

    return Takes("URLs or globs such as https://*.example.com/**, comma separated", parse)


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
    email: bool = knob(
        "OGEL_AUTH_EMAIL",
        "ENABLE_EMAIL_SIGNUP",
        takes=flag(),
        default=True,
        meaning="Whether people sign up and in with an address and a password.",
    )
    autoconfirm: bool | None = knob(
        "OGEL_AUTH_AUTOCONFIRM",
        "ENABLE_EMAIL_AUTOCONFIRM",
        takes=flag(),
        default=None,
        meaning="Whether addresses are believed without a mail to them. None: where nothing sends mail.",
    )
    anonymous: bool = knob(
        "OGEL_AUTH_ANONYMOUS",
        "ENABLE_ANONYMOUS_USERS",
        takes=flag(),
        default=False,
        meaning="Whether people may begin without saying who they are.",
    )
    password_length: int = knob(
        "OGEL_AUTH_PASSWORD_LENGTH",
        "PASSWORD_MIN_LENGTH",
        takes=whole(6, 128, "characters"),
        default=8,
        meaning="Shortest password that is taken.",
    )
    password_characters: tuple[str, ...] = knob(
        "OGEL_AUTH_PASSWORD_CHARACTERS",
        "PASSWORD_REQUIRED_CHARACTERS",
        takes=_CHARACTERS,
        default=(),
        meaning="A new password has a character of each set. Length protects better.",
    )
    password_needs_recent_sign_in: bool = knob(
        "OGEL_AUTH_REAUTHENTICATE",
        takes=flag(),
        default=False,
        meaning="Whether a new password needs a sign-in within a day, or a code from POST /reauthenticate.",
    )
    password_needs_current: bool = knob(
        "OGEL_AUTH_CURRENT_PASSWORD",
        takes=flag(),
        default=False,
        meaning="Whether a new password needs the one before.",
    )
    captcha: str | None = knob(
        "OGEL_CAPTCHA",
        takes=choice("hcaptcha", "turnstile"),
        default=None,
        meaning="Who checks that people are people before they sign up, sign in or are sent mail.",
    )
    captcha_secret: str | None = knob(
        "OGEL_CAPTCHA_SECRET",
        takes=text("a secret"),
        default=None,
        meaning="The secret key of hCaptcha or Turnstile.",
        secret=True,
    )
    redirect_urls: tuple[str, ...] = knob(
        "OGEL_REDIRECT_URLS",
        "URI_ALLOW_LIST",
        "ADDITIONAL_REDIRECT_URLS",
        takes=redirects(),
        default=(),
        meaning="Where else people may be sent back to; everything else leads to the site.",
    )
    app_name: str | None = knob(
        "OGEL_APP_NAME",
        takes=text("a name"),
        default=None,
        meaning="What mail calls the app. None: the host of OGEL_SITE_URL.",
    )
    code_seconds: int = knob(
        "OGEL_AUTH_CODE_SECONDS",
        "MAILER_OTP_EXP",
        takes=whole(1, 86_400, "seconds"),
        default=3600,
        meaning="How long the links and codes that are mailed are good for.",
    )
    mail_seconds: int = knob(
        "OGEL_AUTH_MAIL_SECONDS",
        takes=whole(0, 86_400, "seconds"),
        default=60,
        meaning="From one mail to an address until the next of its kind.",
    )
    mails_to_address: int = knob(
        "OGEL_AUTH_MAILS_TO_ADDRESS",
        takes=whole(0, 10_000),
        default=10,
        meaning="Mails of a kind to one address in an hour. 0: any number.",
    )
    mails_in_all: int = knob(
        "OGEL_AUTH_MAILS",
        "RATE_LIMIT_EMAIL_SENT",
        takes=whole(0, 1_000_000),
        default=1000,
        meaning="Mails that accounts send in an hour, all together. 0: any number.",
    )
    link_page: bool = knob(
        "OGEL_AUTH_LINK_PAGE",
        takes=flag(),
        default=False,
        meaning="Whether links in mail show a page with a button first, so that mail scanners do not use them up.",
    )
    secure_email_change: bool = knob(
        "OGEL_AUTH_SECURE_EMAIL_CHANGE",
        "MAILER_SECURE_EMAIL_CHANGE_ENABLED",
        takes=flag(),
        default=True,
        meaning="Whether a change of address is confirmed from the address before, too.",
    )
    sign_in_tries: tuple[Quota, ...] = knob(
        "OGEL_RATE_SIGN_IN_ACCOUNT",
        takes=quotas(),
        default=(Quota(10, 900),),
        meaning="Wrong passwords for one account; nobody is locked out, tries come back one by one.",
    )
    captcha_url: str | None = knob(
        "OGEL_CAPTCHA_URL",
        takes=endpoint("https://host[:port]/path"),
        default=None,
        meaning="Where it is asked, if not at its makers': a service of the same form, or a stand-in.",
    )
    github_client_id: str | None = knob(
        "OGEL_AUTH_GITHUB_CLIENT_ID",
        "GOTRUE_EXTERNAL_GITHUB_CLIENT_ID",
        takes=text("a client id"),
        default=None,
        meaning="The OAuth app at GitHub that people sign in with; its callback is OGEL_AUTH_URL/callback.",
    )
    github_secret: str | None = knob(
        "OGEL_AUTH_GITHUB_SECRET",
        "GOTRUE_EXTERNAL_GITHUB_SECRET",
        takes=text("a secret"),
        default=None,
        meaning="Its client secret.",
        secret=True,
    )
    github_url: str = knob(
        "OGEL_AUTH_GITHUB_URL",
        "GOTRUE_EXTERNAL_GITHUB_URL",
        takes=endpoint(),
        default="https://github.com",
        meaning="GitHub itself, or a GitHub Enterprise Server.",
    )
    google_client_ids: tuple[str, ...] = knob(
        "OGEL_AUTH_GOOGLE_CLIENT_ID",
        "GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID",
        takes=client_ids(),
        default=(),
        meaning="The OAuth client at Google that people sign in with; then those of apps whose ID tokens are taken.",
    )
    google_secret: str | None = knob(
        "OGEL_AUTH_GOOGLE_SECRET",
        "GOTRUE_EXTERNAL_GOOGLE_SECRET",
        takes=text("a secret"),
        default=None,
        meaning="Its client secret; without one, only ID tokens are taken.",
        secret=True,
    )
    oidc: tuple[OidcClient, ...] = knob(
        "OGEL_AUTH_OIDC",
        takes=oidc_clients(),
        default=(),
        meaning="Other sites that people sign in with: Keycloak, Auth0, Okta, GitLab, whoever speaks OpenID Connect.",
        secret=True,
    )
    access_token_seconds: int = knob(
        "OGEL_AUTH_TOKEN_SECONDS",
        "JWT_EXPIRY",
        takes=whole(30, 86_400, "seconds"),
        default=600,
        meaning="How long an access token is good for.",
    )
    manual_linking: bool = knob(
        "OGEL_AUTH_MANUAL_LINKING",
        "GOTRUE_SECURITY_MANUAL_LINKING_ENABLED",
        takes=flag(),
        default=False,
        meaning="Whether people may add accounts of other sites to their own, and take them away.",
    )
    totp: bool = knob(
        "OGEL_AUTH_TOTP",
        "GOTRUE_MFA_TOTP_ENROLL_ENABLED",
        takes=flag(),
        default=True,
        meaning="Whether people may add an authenticator app as a second factor.",
    )
    signing: str = knob(
        "OGEL_AUTH_SIGNING",
        takes=Takes("ES256 or EdDSA", _signing),
        default="ES256",
        meaning="The algorithm of new signing keys. Clients of Supabase do not all verify EdDSA.",
    )
    key_days: float = knob(
        "OGEL_AUTH_KEY_DAYS",
        takes=real(0, 3650, "days"),
        default=90.0,
        meaning="How long a signing key signs before the next one does; 0: until it is rotated by hand.",
    )
    legacy_secret: str | None = knob(
        "OGEL_AUTH_LEGACY_JWT_SECRET",
        "JWT_SECRET",
        takes=long_text(32),
        default=None,
        meaning="The JWT secret of a Supabase project that people come from: its HS256 tokens are taken, too.",
        secret=True,
    )
    session_days: float = knob(
        "OGEL_AUTH_SESSION_DAYS",
        takes=real(0.001, 3650, "days"),
        default=30.0,
        meaning="After this long people sign in anew.",
    )
    session_idle_days: float = knob(
        "OGEL_AUTH_SESSION_IDLE_DAYS",
        takes=real(0.001, 3650, "days"),
        default=7.0,
        meaning="A session that is not refreshed for this long ends.",
    )
    sessions_per_user: int = knob(
        "OGEL_AUTH_SESSIONS_PER_USER",
        takes=whole(1, 1000),
        default=100,
        meaning="With one more, a user's oldest session ends.",
    )
    refresh_reuse_seconds: int = knob(
        "OGEL_AUTH_REFRESH_REUSE_SECONDS",
        takes=whole(0, 300, "seconds"),
        default=30,
        meaning="How long a refresh token that was exchanged gets the same new one again, for tabs and lost answers.",
    )

    @property
    def external_url(self) -> str:
        """Where clients reach /auth/v1; the issuer of tokens. Behind a host alone it is where it always is."""
        url = (self.api_url or _LOCAL_URL).rstrip("/")
        return url if urlsplit(url).path else f"{url}/auth/v1"

    def for_one_machine(self, port: int) -> Self:
        """Links in mail lead to the port that is listened on. A free one (0) is not known yet."""
        return self if self.api_url or not port else replace(self, api_url=f"http://localhost:{port}")

    def incomplete(self, known: Collection[str], names: Mapping[str, str]) -> Sequence[str]:
        github = self.github_client_id is not None
        return [
            *(
                needs(f"OGEL_CAPTCHA={self.captcha}", ["captcha_secret"], known, names)
                if self.captcha
                else ()
            ),
            *(needs("OGEL_AUTH_GITHUB_CLIENT_ID", ["github_secret"], known, names) if github else ()),
        ]

    def servers(self) -> Sequence[NamedServer]:
        found = [
            NamedServer(f"sign-in by {each.name}", "http", each.issuer, "oidc", told=True)
            for each in self.oidc
        ]
        if self.github_client_id is not None:
            found.append(NamedServer("sign-in by GitHub", "http", self.github_url, "github_url"))
        return found
