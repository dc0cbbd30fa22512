"""Where people may be sent back to, and what only looks like it."""

from __future__ import annotations

import pytest

from ogel.environ import read_settings
from ogel.features.accounts.codes.redirects import Redirects
from ogel.kernel.errors import ConfigError

SITE = "https://app.example.com"
LISTED = [
    "https://other.example.com/welcome",
    "https://*.example.org/in/**",
    "https://preview-?.example.dev/**",
    "http://localhost:*/**",
    "com.example.app://*",
    "com.example.deep://**",
    "exact:/back",
]


@pytest.mark.parametrize(
    "url",
    [
        SITE,
        f"{SITE}/in?x=1#part",
        "HTTPS://APP.EXAMPLE.COM/in",
        f"{SITE}/пример/😀",
        "https://other.example.com/welcome",
        "https://other.example.com/welcome#/route",
        "https://a.example.org/in/here?next=https://b.example.net",
        "https://preview-7.example.dev/",
        "http://localhost:5173/callback",
        "com.example.app://callback",
        "com.example.deep://any/where.else",
        "exact:/back",
    ],
)
def test_what_is_listed_and_the_site_are_allowed(url: str) -> None:
    assert Redirects(SITE, LISTED).allowed(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "/in",
        "//evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https:///evil.example",
        "http://app.example.com/",
        "https://app.example.com:8443/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://ann:secret@app.example.com/",
        "https://app.example.com\\@evil.example/",
        "https://app.example.com%2eevil.example/",
        "https://app.example.com\n/",
        " https://app.example.com",
        "https://app.example.com/\x00",
        "javascript:alert(1)//app.example.com",
        "JavaScript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "https://other.example.com/welcome/else",
        "https://other.example.com/welcome?x=1",
        "https://a.b.example.org/in/x",
        "https://evil.example/.example.org/in/x",
        "https://evil#.example.org/in/x",
        "https://evil?.example.org/in/x",
        "https://a.example.org/in/../out",
        "https://a.example.org/in/%2E%2e/out",
        "https://preview-77.example.dev/",
        "http://localhost:1@evil.example/",
        "com.example.app://call/back",
        "com.example.other://callback",
        "exact:/back/else",
        "https://app.example.com/" + "x" * 2048,
        "https://\u0430pp.example.com/",
    ],
)
def test_everything_else_leads_to_the_site(url: str | None) -> None:
    assert Redirects(SITE, LISTED).allowed(url) == SITE


@pytest.mark.parametrize("listed", ["javascript:alert(1)", "no url", "https:app", "https://a.example,data:x"])
def test_a_setting_that_would_lead_nowhere_is_refused(listed: str) -> None:
    with pytest.raises(ConfigError, match="OGEL_REDIRECT_URLS"):
        read_settings({"OGEL_REDIRECT_URLS": listed})
