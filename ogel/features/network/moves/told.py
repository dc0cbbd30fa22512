"""Variables whose value somebody outside is told: browsers, mail, other sites. A private name is nothing to them."""

from __future__ import annotations

import re

# The beginning of names that builds hand over to browsers.
_BUILT_IN = re.compile(
    r"(NEXT_PUBLIC|NUXT_PUBLIC|EXPO_PUBLIC|REACT_APP|VITE|GATSBY|VUE_APP|NG_APP|STORYBOOK|PUBLIC)_"
)
_ALWAYS = (
    (
        re.compile(r"(^|_)PUBLIC(_|$)"),
        "its name says that it is public",
    ),
    (re.compile(r"EXTERNAL"), "its name says that it is for outside"),
)
# Of names on the web: a server of another kind is called so, too.
_OF_HTTP = (
    (re.compile(r"REDIRECT|CALLBACK|RETURN_TO|SUCCESS_URL|CANCEL_URL"), "other sites send browsers there"),
    (
        re.compile(r"ORIGIN|CORS|ALLOWED_HOST|TRUSTED_HOST|ALLOW_LIST"),
        "it is compared with what browsers say",
    ),
    (re.compile(r"ISSUER|_ISS$|AUDIENCE"), "it stands in tokens, which others verify"),
    (re.compile(r"OIDC|OAUTH|SAML|(^|_)SSO(_|$)|KEYCLOAK"), "people are sent there to sign in"),
    (re.compile(r"WEBHOOK"), "other services call it"),
    (
        re.compile(
            r"(S3|AWS|MINIO|STORAGE|BUCKET|CDN|ASSETS?|MEDIA)(_[A-Z0-9]+)*_?(ENDPOINT|URL|HOST|DOMAIN)"
        ),
        "URLs that are signed or made of it are handed to browsers",
    ),
    (
        re.compile(
            r"(^|_)(SITE|APP|WEB|WEBSITE|FRONTEND|FRONT_END|CLIENT|DASHBOARD|STUDIO|LANDING|BASE|CANONICAL)_"
            r"(URL|URI|ORIGIN|DOMAIN|HOST)$|^(HOST|DOMAIN|URL)$|NEXTAUTH_URL|AUTH_URL"
        ),
        "it is told to browsers or in mail, by its name",
    ),
)


def told_outside(name: str, http: bool) -> str | None:
    """Why the variable is left as it is; None: by its name it is not. `http`: it names something on the web."""
    upper = name.upper()
    if _BUILT_IN.match(upper):
        return "it is built into what browsers get"
    reasons = (*_ALWAYS, *_OF_HTTP) if http else _ALWAYS
    return next((reason for pattern, reason in reasons if pattern.search(upper)), None)


# How the port of a host is called: POSTGRES_HOST and POSTGRES_PORT, PGHOST and PGPORT, DB_ADDR and DB_PORT.
_HOST_WORDS = re.compile(
    r"(HOST_?NAME|HOST|DOMAIN|ADDRESS|ADDR|SERVER|ENDPOINT|URL)(?!.*(HOST|DOMAIN|ADDR))", re.I
)


def ports_beside(name: str) -> list[str]:
    """Names that the port of the host in this variable may have, the likeliest first."""
    names = [_HOST_WORDS.sub("PORT", name, count=1)] if _HOST_WORDS.search(name) else []
    return [*names, f"{name}_PORT"]
