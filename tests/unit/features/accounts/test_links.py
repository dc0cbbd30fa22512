"""What is mailed: in whose language, and where its link leads."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from ogel.features.accounts.codes.code import FreshCode, Mint, hash_of
from ogel.features.accounts.codes.flows import challenge_of
from ogel.features.accounts.codes.links import accepted_languages, link_of
from ogel.features.accounts.errors import AccountError
from ogel.runtime.secrets.vault import Vault

CHALLENGE = "CBdO7wpPO1eqk0CLBb_wnzC6oiszxGZF6nwRnchiNik"


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        (None, []),
        ("", []),
        ("de", ["de"]),
        ("fr;q=0.3, de-AT, en;q=0.9, *;q=0.1", ["de-AT", "en", "fr"]),
        ("de;q=0, en;q=nonsense, ../../etc;q=1, fr;q=2", []),
        ("x" * 5000, []),
        (",".join(["de"] * 500), ["de"] * 10),
    ],
)
def test_the_languages_that_a_request_asks_for(header: str | None, languages: list[str]) -> None:
    assert accepted_languages(header) == languages


@pytest.mark.parametrize(
    "to",
    ["https://app.example.com/in", "https://app.example.com/in?a=1&b=c d#e", "com.example.app://cb?x=ü"],
)
def test_a_link_leads_where_it_was_asked_to(to: str) -> None:
    code = FreshCode(UUID(int=1), "123456", "abc")
    link = urlsplit(link_of("https://api.example.com/auth/v1", code, "email_change_new", to))
    assert parse_qs(link.query) == {"token": ["abc"], "type": ["email_change"], "redirect_to": [to]}


def test_digits_and_link_are_one_secret_which_needs_our_key() -> None:
    mint = Mint(Vault("s" * 24))
    code = mint.new(pkce=True)
    assert (len(code.digits), len(code.token)) == (6, len("pkce_") + 56)
    assert mint.token(code.id, code.digits, pkce=True) == code.token
    assert code.hash == hash_of(code.token)
    assert Mint(Vault("t" * 24)).token(code.id, code.digits, pkce=True) != code.token
    assert mint.token(code.id, code.digits, pkce=False) != code.token


@pytest.mark.parametrize(
    ("challenge", "method", "message"),
    [
        (CHALLENGE, None, "requires"),
        (None, "s256", "requires"),
        (CHALLENGE, "plain", "Invalid code_challenge_method"),
        (CHALLENGE, "x", "Invalid code_challenge_method"),
        ("short", "s256", "43 to 128"),
        (CHALLENGE + "\n", "s256", "43 to 128"),
        (CHALLENGE[:-1] + "é", "s256", "43 to 128"),
        ("x" * 129, "s256", "43 to 128"),
    ],
)
def test_half_a_challenge_or_a_plain_one_is_refused(
    challenge: str | None, method: str | None, message: str
) -> None:
    with pytest.raises(AccountError, match=message) as caught:
        challenge_of(challenge, method)
    assert (caught.value.status, caught.value.code) == (400, "validation_failed")


def test_a_challenge_is_taken_or_there_is_none() -> None:
    assert challenge_of(CHALLENGE, "S256") == CHALLENGE
    assert challenge_of(None, None) is None
    assert challenge_of("", "") is None
