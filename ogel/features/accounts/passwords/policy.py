"""What new passwords are held to. Their exact bytes count: nothing is trimmed, folded or normalised."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.settings import AccountsSettings

MOST_CHARACTERS = 1024

Reason = Literal["length", "characters", "pwned"]


class WeakPassword(AccountError):
    """`reasons` are those that clients of Supabase Auth know."""

    def __init__(self, message: str, reasons: tuple[Reason, ...]) -> None:
        super().__init__(422, "weak_password", message)
        self.reasons = reasons


def check_policy(password: str, settings: AccountsSettings) -> None:
    """Raises WeakPassword, or AccountError for one that is too long."""
    if len(password) > MOST_CHARACTERS:
        said = f"Password cannot be longer than {MOST_CHARACTERS} characters"
        raise AccountError(400, "validation_failed", said)
    if (weakness := weakness_of(password, settings)) is not None:
        raise weakness


def weakness_of(password: str, settings: AccountsSettings) -> WeakPassword | None:
    """What is wrong with a password that somebody has already."""
    found: dict[Reason, str] = {}
    if len(password) < settings.password_length:
        found["length"] = f"Password should be at least {settings.password_length} characters."
    sets = settings.password_characters
    if not all(any(each in password for each in characters) for characters in sets):
        found["characters"] = f"Password should contain at least one character of each: {', '.join(sets)}."
    if not found and is_common(password):
        found["pwned"] = "Password is known to be weak and easy to guess, please choose a different one."
    return WeakPassword(" ".join(found.values()), tuple(found)) if found else None


def is_common(password: str) -> bool:
    """Whether it is among the passwords that are tried first, in whatever case."""
    return f"\n{password.lower()}\n".encode() in _common()


@cache
def _common() -> bytes:
    """
    The 5,000 most frequent ones of 8 characters and more, after zxcvbn (MIT): a line each, and one before and behind.
    """
    return b"\n" + resources.files(__package__).joinpath("common.txt").read_bytes()
