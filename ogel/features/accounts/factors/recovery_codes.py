"""Recovery codes: for who has lost the device. Ten at a time, each good for once; only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets

COUNT = 10
# 80 random bits need no slow hash.
_CHARACTERS = 16
# Without letters that look like digits, or like each other (Crockford's base32).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_MEANT = str.maketrans("ilo", "110")


def new_codes() -> list[str]:
    codes: set[str] = set()
    while len(codes) < COUNT:
        codes.add("".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS)))
    return list(codes)


def normal(code: str) -> str:
    """As it was made, whatever case, spaces and hyphens it is typed with. What is no code stays none."""
    return "".join(code.replace("-", "").split()).lower().translate(_MEANT)


def hash_of(code: str) -> bytes:
    """`code` is normal."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
