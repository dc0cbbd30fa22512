"""
Hashes of passwords as they are stored: our own, and those that people bring from elsewhere.

`$argon2id$…` (ours), `$argon2i$…`, `$argon2d$…`; `$2a$…`, `$2b$…`, `$2y$…` (bcrypt); `$scrypt$ln=14,r=8,p=1$salt$hash`;
`$pbkdf2-sha256$rounds$salt$hash`, also `-sha512`; `pbkdf2_sha256$rounds$salt$hash` (Django);
`$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$salt$hash` (Firebase, as GoTrue writes it).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

import bcrypt
from argon2 import extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type, verify_secret

OWN = "$argon2id$"
# Some of those who made bcrypt hashes looked no further, and the library refuses more.
_BCRYPT_BYTES = 72
# A hash costs a sign-in what it says: one that would take seconds or hundreds of megabytes is not taken.
_MOST_BCRYPT_COST = 14
_MOST_PBKDF2_ROUNDS = 2_000_000
_MOST_ARGON2_KIB, _MOST_ARGON2_ROUNDS, _MOST_LANES = 65_536, 10, 16
_MOST_SCRYPT_BYTES = 72 * 1024 * 1024  # ln=16,r=8 is what passlib makes
_MOST_CHARACTERS = 1024

_TYPES = {"$argon2id$": Type.ID, "$argon2i$": Type.I, "$argon2d$": Type.D}
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)
_SCRYPT = re.compile(
    r"\$scrypt\$ln=(?P<n>\d{1,2}),r=(?P<r>\d{1,3}),p=(?P<p>\d{1,3})\$(?P<salt>[^$]+)\$(?P<hash>[^$]+)",
    re.ASCII,
)
_FIREBASE = re.compile(
    r"\$fbscrypt\$v=1,n=(?P<n>\d{1,2}),r=(?P<r>\d{1,3}),p=(?P<p>\d{1,3})"
    r"(,ss=(?P<separator>[^,$]*))?(,sk=(?P<key>[^,$]+))\$(?P<salt>[^$]+)\$(?P<hash>[^$]+)",
    re.ASCII,
)
_PBKDF2 = re.compile(
    r"\$pbkdf2-(?P<digest>sha256|sha512)\$(?P<rounds>\d{1,7})\$(?P<salt>[^$]+)\$(?P<hash>[^$]+)", re.ASCII
)
_DJANGO = re.compile(
    r"pbkdf2_(?P<digest>sha256|sha512)\$(?P<rounds>\d{1,7})\$(?P<salt>[^$]+)\$(?P<hash>[^$]+)", re.ASCII
)

# Whether a password is the one that was hashed.
_Check = Callable[[bytes], bool]


class UnknownHash(ValueError):
    """It is of no form that we can verify, or verifying would cost too much."""


def is_right(stored: str, password: bytes) -> bool:
    """Whether it is the password of this hash. It blocks; no password is right for a hash that we do not know."""
    try:
        return _check_of(stored)(password)
    except UnknownHash:
        return False


def check_hash(stored: str) -> None:
    """Raises UnknownHash for what nobody could sign in with."""
    _check_of(stored)


def _check_of(stored: str) -> _Check:
    if len(stored) > _MOST_CHARACTERS or not stored.isascii():
        raise UnknownHash
    for prefix, kind in _TYPES.items():
        if stored.startswith(prefix):
            return _argon2(stored, kind)
    for pattern, check_of in _CHECKS:
        if (found := pattern.fullmatch(stored)) is not None:
            try:
                return check_of(found)
            except binascii.Error:
                raise UnknownHash from None
    raise UnknownHash


def _argon2(stored: str, kind: Type) -> _Check:
    try:
        parameters = extract_parameters(stored)
    except (InvalidHashError, ValueError):
        raise UnknownHash from None
    memory, rounds, lanes = parameters.memory_cost, parameters.time_cost, parameters.parallelism
    if memory > _MOST_ARGON2_KIB or rounds > _MOST_ARGON2_ROUNDS or lanes > _MOST_LANES:
        raise UnknownHash

    def check(password: bytes) -> bool:
        try:
            return verify_secret(stored.encode(), password, kind)
        except Argon2Error:
            return False

    return check


def _bcrypt(found: re.Match[str]) -> _Check:
    if int(found["cost"]) > _MOST_BCRYPT_COST:
        raise UnknownHash

    def check(password: bytes) -> bool:
        try:
            return bcrypt.checkpw(password[:_BCRYPT_BYTES], found[0].encode())
        except ValueError:  # a cost below 4, or a NUL, which ends a password there
            return False

    return check


def _scrypt(found: re.Match[str]) -> _Check:
    derive, salt, digest = _derivation(found), _decoded(found["salt"]), _decoded(found["hash"])
    return lambda password: hmac.compare_digest(derive(password, salt, len(digest)), digest)


def _firebase(found: re.Match[str]) -> _Check:
    """What Firebase stores is the project's signing key, encrypted with what scrypt makes of the password."""
    derive, digest, key = _derivation(found), _decoded(found["hash"]), _decoded(found["key"])
    salt = _decoded(found["salt"]) + _decoded(found["separator"] or "")

    def check(password: bytes) -> bool:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        cipher = Cipher(algorithms.AES(derive(password, salt, 32)), modes.CTR(bytes(16)))
        return hmac.compare_digest(cipher.encryptor().update(key), digest)

    return check


def _derivation(found: re.Match[str]) -> Callable[[bytes, bytes, int], bytes]:
    exponent, block, lanes = int(found["n"]), int(found["r"]), int(found["p"])
    memory = 128 * block * (2**exponent + lanes + 2)
    if not 1 <= exponent <= 20 or block < 1 or not 1 <= lanes <= _MOST_LANES or memory > _MOST_SCRYPT_BYTES:
        raise UnknownHash

    def derive(password: bytes, salt: bytes, length: int) -> bytes:
        return hashlib.scrypt(
            password, salt=salt, n=2**exponent, r=block, p=lanes, maxmem=2 * memory, dklen=length
        )

    return derive


def _pbkdf2(found: re.Match[str]) -> _Check:
    return _pbkdf2_of(found, _decoded(found["salt"]))


def _django(found: re.Match[str]) -> _Check:
    return _pbkdf2_of(found, found["salt"].encode())


def _pbkdf2_of(found: re.Match[str], salt: bytes) -> _Check:
    digest, rounds = _decoded(found["hash"]), int(found["rounds"])
    if not 1 <= rounds <= _MOST_PBKDF2_ROUNDS:
        raise UnknownHash
    return lambda password: hmac.compare_digest(
        hashlib.pbkdf2_hmac(found["digest"], password, salt, rounds, len(digest)), digest
    )


def _decoded(text: str) -> bytes:
    """Of base64 in any of its alphabets, with or without padding; passlib has a dot for the plus."""
    plain = text.translate(_ANY_ALPHABET).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


_ANY_ALPHABET = str.maketrans("-_.", "+/+")
_CHECKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], _Check]], ...] = (
    (_BCRYPT, _bcrypt),
    (_SCRYPT, _scrypt),
    (_FIREBASE, _firebase),
    (_PBKDF2, _pbkdf2),
    (_DJANGO, _django),
)
