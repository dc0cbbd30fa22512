"""What new passwords are held to, in the words and with the reasons that clients know."""

from __future__ import annotations

import pytest

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.passwords.policy import WeakPassword, check_policy, is_common
from ogel.features.accounts.settings import AccountsSettings

PLAIN = AccountsSettings()
STRICT = AccountsSettings(password_characters=("abcdefghijklmnopqrstuvwxyz", "0123456789"))


@pytest.mark.parametrize(
    ("password", "settings", "reasons"),
    [
        ("", PLAIN, ("length",)),
        ("shorty7", PLAIN, ("length",)),
        ("password", PLAIN, ("pwned",)),
        ("PassWord1", PLAIN, ("pwned",)),
        ("ONLYUPPER", STRICT, ("characters",)),
        ("ABC", STRICT, ("length", "characters")),
    ],
)
def test_a_weak_password_is_refused_with_reasons(
    password: str, settings: AccountsSettings, reasons: tuple[str, ...]
) -> None:
    with pytest.raises(WeakPassword) as refused:
        check_policy(password, settings)
    assert refused.value.reasons == reasons
    assert refused.value.status == 422
    assert refused.value.code == "weak_password"


@pytest.mark.parametrize(
    "password", ["Correct-horse-1", "        ", "пароль-на-память", "🔑" * 8, "x" * 1024]
)
def test_whatever_people_remember_will_do(password: str) -> None:
    check_policy(password, PLAIN)


def test_what_is_longer_than_anybody_types_is_refused() -> None:
    with pytest.raises(AccountError, match="longer than 1024") as refused:
        check_policy("x" * 1025, PLAIN)
    assert refused.value.status == 400


def test_only_whole_lines_of_the_list_are_common() -> None:
    assert is_common("iloveyou")
    assert not is_common("loveyou")
    assert not is_common("")
