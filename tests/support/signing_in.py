"""A browser of tests: it keeps cookies, goes where it is sent, and comes back with what an app would read there."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.issuer import Issuer
from tests.support.process import Client, Response

AUTH = "/auth/v1"


class Browser:
    def __init__(self, api: Client, issuer: Issuer) -> None:
        self._api = api
        self._issuer = issuer
        self.cookies: dict[str, str] = {}

    def __call__(
        self, method: str, path: str, *, raw: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**({"cookie": cookies} if cookies else {}), **(headers or {})}
        answer = self._api(method, AUTH + path, raw=raw, key="", headers=sent)
        for name, morsel in SimpleCookie(answer.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        return answer

    def leave(self, provider: str, **query: str) -> str:
        """Goes to /authorize, and returns the provider's address that it is sent to."""
        answer = self("GET", f"/authorize?{urlencode({'provider': provider, **query})}")
        assert answer.status == 302, answer.body
        return answer.headers["location"]

    def come_back(self, url: str) -> Response:
        """Is at the provider, which sends it back to /callback."""
        return self.arrive(self._issuer.visit(url))

    def arrive(self, callback: str) -> Response:
        parts = urlsplit(callback)
        assert parts.path == f"{AUTH}/callback"
        return self("GET", f"/callback?{parts.query}")

    def sign_in(self, provider: str, **query: str) -> dict[str, str]:
        """Returns what the app finds in the fragment."""
        answer = self.come_back(self.leave(provider, **query))
        assert answer.status == 302, (answer.status, answer.headers, answer.body)
        return fragment(answer)


def query(answer: Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query, keep_blank_values=True))


def fragment(answer: Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(answer.headers["location"]).fragment, keep_blank_values=True))
