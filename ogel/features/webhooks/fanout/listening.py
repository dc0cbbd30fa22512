"""What the globs of an endpoint begin or end with: by such keys an index finds those that may hear a type.

A glob has one key, which the function `listening_keys` of the database makes of it:

    order.created     =order.created   (no star: the type itself)
    order.*           ^order.          (what it begins with, or…)
    *.created         $.created        (…from a dot on, what it ends with, if that is longer)
    *                 ^                (all types have this one)

A type has all the keys that a glob matching it can have.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)
def keys_of(type: str) -> tuple[str, ...]:
    begins = (f"^{type[:n]}" for n in range(len(type) + 1))
    ends = (f"${type[n:]}" for n, character in enumerate(type) if character == ".")
    return (f"={type}", *begins, *ends)
