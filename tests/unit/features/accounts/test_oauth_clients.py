"""OGEL_AUTH_OIDC: what is understood of it, and what is not."""

from __future__ import annotations

import pytest

from ogel.environ import read_settings, secrets_of
from ogel.features.accounts.oauth.clients import OidcClient, oidc_clients
from ogel.features.accounts.settings import AccountsSettings
from ogel.kernel.errors import ConfigError

SERVERS = {"OGEL_ADMIN_KEY": "a" * 40, "OGEL_SECRET": "s" * 40}


def parsed(text: str) -> tuple[OidcClient, ...]:
    found: tuple[OidcClient, ...] = oidc_clients().parse(text)
    return found


def test_several_are_written_one_behind_the_other() -> None:
    text = " keycloak = https://id.example.com/realms/acme | web, phone | s%3Bcret ;okta=https://acme.okta.com|x;"

    assert parsed(text) == (
        OidcClient("keycloak", "https://id.example.com/realms/acme", ("web", "phone"), "s;cret"),
        OidcClient("okta", "https://acme.okta.com", ("x",), None),
    )


def test_none_is_none() -> None:
    assert parsed("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "https://id.example.com|web|hunter2",
        "acme",
        "acme=",
        "acme=https://id.example.com",
        "acme=https://id.example.com|",
        "acme=https://id.example.com| , |hunter2",
        "acme=id.example.com|web|hunter2",
        "acme=ftp://id.example.com|web|hunter2",
        "acme=https://user:password@id.example.com|web|hunter2",
        "acme=https://id.example.com?x=y|web|hunter2",
        "acme=https://id.example.com|web|hunter2|more",
        "Acme=https://id.example.com|web|hunter2",
        "email=https://id.example.com|web|hunter2",
        "github=https://id.example.com|web|hunter2",
        "a=https://id.example.com|web|s;a=https://id.example.com|web|s",
        ";".join(f"a{number}=https://id.example.com|web|s" for number in range(21)),
    ],
)
def test_what_is_not_understood_is_refused_without_its_secret(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings({**SERVERS, "OGEL_AUTH_OIDC": text})

    assert "OGEL_AUTH_OIDC" in str(refused.value) and "hunter2" not in str(refused.value)


def test_github_needs_its_secret() -> None:
    with pytest.raises(ConfigError, match="OGEL_AUTH_GITHUB_SECRET"):
        read_settings({**SERVERS, "OGEL_AUTH_GITHUB_CLIENT_ID": "x"})


def test_names_of_gotrue_are_read() -> None:
    given = {
        "GOTRUE_EXTERNAL_GOOGLE_CLIENT_ID": "web,phone",
        "GOTRUE_EXTERNAL_GOOGLE_SECRET": "g",
        "GOTRUE_EXTERNAL_GITHUB_CLIENT_ID": "h",
        "GOTRUE_EXTERNAL_GITHUB_SECRET": "i",
    }
    accounts = read_settings({**SERVERS, **given}).settings.of(AccountsSettings)

    assert accounts.google_client_ids == ("web", "phone") and accounts.github_secret == "i"


def test_secrets_are_known_as_such() -> None:
    given = {"OGEL_AUTH_OIDC": "a=https://a.example.com|x|hunter%3B2; b=https://b.example.com|y"}

    assert "hunter;2" in secrets_of(read_settings({**SERVERS, **given}).settings)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://api.example.com/auth/v1", "https://api.example.com/auth/v1"),
        ("https://api.example.com/auth/v1/", "https://api.example.com/auth/v1"),
        ("https://api.example.com", "https://api.example.com/auth/v1"),
        ("https://api.example.com/", "https://api.example.com/auth/v1"),
        ("https://example.com/people", "https://example.com/people"),
    ],
)
def test_browsers_come_back_to_where_accounts_are_served(written: str, url: str) -> None:
    accounts = read_settings({**SERVERS, "OGEL_AUTH_URL": written}).settings.of(AccountsSettings)

    assert accounts.external_url == url
