"""Passwords that were hashed elsewhere are verified, and hashed anew; what would cost too much is not begun."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode

import bcrypt
import pytest
from argon2 import PasswordHasher, Type

from ogel.features.accounts.passwords.formats import UnknownHash, check_hash, is_right
from ogel.features.accounts.passwords.hasher import Hasher, Verified
from ogel.kernel.errors import Unavailable

WORD = "Pässwörd 🔑"
_SALT = b"salt of a kind"


def _b64(raw: bytes) -> str:
    return b64encode(raw).decode().rstrip("=")


def _django() -> str:
    digest = hashlib.pbkdf2_hmac("sha256", WORD.encode(), b"seasalt", 1000, 32)
    return f"pbkdf2_sha256$1000$seasalt${b64encode(digest).decode()}"


def _pbkdf2() -> str:
    digest = hashlib.pbkdf2_hmac("sha512", WORD.encode(), _SALT, 1000, 64)
    return f"$pbkdf2-sha512$1000${_b64(_SALT).replace('+', '.')}${_b64(digest).replace('+', '.')}"


def _scrypt() -> str:
    digest = hashlib.scrypt(WORD.encode(), salt=_SALT, n=16, r=8, p=1, dklen=32)
    return f"$scrypt$ln=4,r=8,p=1${_b64(_SALT)}${_b64(digest)}"


def _argon2i() -> str:
    return PasswordHasher(1, 64, 1, type=Type.I).hash(WORD)


HASHES = {
    "bcrypt": bcrypt.hashpw(WORD.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt of PHP": bcrypt.hashpw(WORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "django": _django(),
    "pbkdf2": _pbkdf2(),
    "scrypt": _scrypt(),
    "argon2i": _argon2i(),
    "weaker argon2id": PasswordHasher(1, 64, 1).hash(WORD),
}
# Of the documentation of firebase/scrypt.
FIREBASE = (
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,"
    "sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
    "$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
)
# Of passlib's documentation.
PASSLIB = "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk"


@pytest.mark.parametrize("stored", HASHES.values(), ids=HASHES)
def test_a_password_from_elsewhere_is_right_once_and_then_hashed_anew(stored: str) -> None:
    hasher = Hasher()
    check_hash(stored)
    assert asyncio.run(hasher.verify(stored, WORD)) == Verified(True, needs_rehash=True)
    assert not is_right(stored, b"another")
    assert not is_right(stored, WORD.encode()[:-1])


def test_hashes_of_firebase_and_passlib() -> None:
    assert is_right(FIREBASE, b"user1password")
    assert not is_right(FIREBASE, b"user2password")
    assert is_right(PASSLIB, b"toomanysecrets")


def test_exact_bytes_count_and_none_is_cut_off() -> None:
    hasher = Hasher()
    long = "é" * 1000

    async def told(stored: str, password: str) -> Verified:
        return await hasher.verify(stored, password)

    stored = asyncio.run(hasher.hash(long))
    assert asyncio.run(told(stored, long)) == Verified(True, needs_rehash=False)
    assert not asyncio.run(told(stored, long[:-1] + "e")).ok
    # Canonically the same, and other bytes.
    assert not asyncio.run(told(stored, "e\N{COMBINING ACUTE ACCENT}" * 1000)).ok


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "$2b$04$short",
        "$2b$31$" + "a" * 53,
        "$argon2id$v=19$m=1048576,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
        "$argon2id$nonsense",
        "$scrypt$ln=30,r=8,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=14,r=999,p=1$c2FsdA$aGFzaA",
        "$scrypt$ln=4,r=8,p=1$c2F!dA$aGFzaA",
        "$pbkdf2-sha256$9999999$c2FsdA$aGFzaA",
        "pbkdf2_sha256$0$salt$aGFzaA==",
        "$fbscrypt$v=2,n=14,r=8,p=1,ss=Bw==,sk=AA==$AA==$AA==",
        "ḧash",
        "$2b$10$" + "a" * 2000,
    ],
)
def test_what_is_no_hash_or_would_take_too_long_is_nobodys_password(stored: str) -> None:
    with pytest.raises(UnknownHash):
        check_hash(stored)
    assert not is_right(stored, b"password")


def test_more_than_may_wait_are_told_to_come_back() -> None:
    async def crowd() -> list[object]:
        hasher = Hasher(threads=1, most_waiting=2)
        hasher.admit()
        asked = [asyncio.create_task(hasher.verify(None, "password")) for _ in range(6)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            hasher.admit()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(crowd())
    assert answers.count(Verified(False)) == 3
    refused = [each for each in answers if isinstance(each, Unavailable)]
    assert len(refused) == 3
    assert all(each.retry_after_seconds == 1 for each in refused)


def test_clients_that_hang_up_leave_no_work_behind() -> None:
    async def crowd() -> int:
        hasher = Hasher(threads=1, most_waiting=3)
        for _ in range(4):
            asyncio.create_task(hasher.verify(None, "password")).cancel()
        gone = [asyncio.create_task(hasher.hash("password")) for _ in range(4)]
        await asyncio.sleep(0)
        for each in gone:
            each.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        while True:
            try:
                return len(await hasher.hash("password"))
            except Unavailable:
                await asyncio.sleep(0.01)

    assert asyncio.run(asyncio.wait_for(crowd(), 10)) > 0
