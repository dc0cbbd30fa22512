"""Where sign-in with other sites goes otherwise than on the recorded server, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.golden.expectation import GONE, Difference
from tests.golden.gotrue.transcript import Line, read

AUTHORIZE, ID_TOKEN, IDENTITIES = "authorize_oauth_pkce.jsonl", "token_id_token.jsonl", "identities.jsonl"
LEAVES = (
    "PKCE goes to every provider, a nonce and the scope openid to those that sign ID tokens; where an app wants its"
    " people back is not the provider's business."
)
_OURS_ALONE = ("redirect_to", "skip_http_redirect")


def _left(line: Line) -> str | None:
    """Where a browser is sent to by us, when the line sends it to the provider."""
    body = line.answer["body"]
    recorded = line.answer["headers"].get("Location") or (body.get("url") if isinstance(body, dict) else None)
    if recorded is None or not recorded.startswith(("http://idp.", "https://idp.")):
        return None
    parts = urlsplit(recorded)
    asked = {name: value for name, value in parse_qsl(parts.query) if name not in _OURS_ALONE}
    label = asked["state"].strip("<>").partition(":")[2]
    asked |= {"code_challenge": f"<b64url:challenge_{label}>", "code_challenge_method": "S256"}
    if asked["client_id"] == "kc-client":
        asked |= {"nonce": f"<b64url:nonce_{label}>", "scope": "openid profile email"}
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(asked, safe='<>:')}"


def departures(file: str) -> Sequence[Difference]:
    found = []
    for line in read(file):
        url = _left(line)
        if url is not None:
            where = {"headers": {"Location": url}} if line.answer["status"] == 302 else {"body": {"url": url}}
            found.append(Difference(line.name, where, LEAVES))
    return found


_REFUSED = (
    "error=server_error&error_code=unexpected_failure&error_description=Unable+to+exchange+external+code"
)
_APP = "http://app.example.com/in"
_CONFIRMATION = f"http://auth.example.com/auth/v1/verify?token=<hash:h1>&type=signup&redirect_to={_APP}"
_KEPT = {
    "aud": GONE,
    "exp": GONE,
    "iat": GONE,
    "full_name": "Ada",
    "provider_id": "kc-ada",
    "custom_claims": {},
}
_SIGNED_IN = ("id_token", "id_token with nonce", "id_token by issuer and client_id")

OAUTH: Mapping[str, Sequence[Difference]] = {
    AUTHORIZE: [
        *departures(AUTHORIZE),
        Difference(
            "email not verified by the provider: callback",
            {"mails": {"*": {"confirmation_url": _CONFIRMATION}}},
            "Who confirms the address goes on to where the sign-in was to lead.",
        ),
        Difference(
            "provider refuses the code: callback",
            {"headers": {"Location": f"http://app.example.com/in?{_REFUSED}#{_REFUSED}&sb="}},
            "A code that a provider could not take at this moment may still be good; it does not go on to other pages.",
        ),
    ],
    ID_TOKEN: [
        Difference(
            _SIGNED_IN,
            {
                "body": {"user": {"user_metadata": _KEPT, "identities": {"*": {"identity_data": _KEPT}}}},
                "decoded": {"*": {"claims": {"user_metadata": _KEPT}}},
            },
            "Somebody is described alike however they sign in; when a token was issued says nothing of a person.",
        ),
        Difference(
            "id_token",
            {"body": {"user": {"confirmed_at": "<time>"}}},
            "The user is read after they were made, as everywhere.",
        ),
    ],
    IDENTITIES: [*departures(IDENTITIES)],
}
