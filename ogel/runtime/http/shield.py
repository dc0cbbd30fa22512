"""Security headers: what every answer of ours tells browsers not to do with it (OWASP ASVS 5.0 §3.4)."""

from __future__ import annotations

from collections.abc import Sequence

Field = tuple[bytes, bytes]

# Of JSON: nothing in it is to be run, framed or shown as anything else.
SHIELD: Sequence[Field] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-resource-policy", b"same-site"),
)
NO_STORE: Field = (b"cache-control", b"no-store")
# Two years; said only where the client came by https, because browsers believe it nowhere else (RFC 6797 §7.2).
HSTS: Field = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")

_DEFAULTS = (*SHIELD, NO_STORE)
_DEFAULT_NAMES = frozenset(name for name, _ in _DEFAULTS)


def defaults_beside(fields: Sequence[Field]) -> Sequence[Field]:
    """Returns those headers that an answer of ours has if its handler chose none of the same name."""
    chosen = {name for name, _ in fields}
    if chosen.isdisjoint(_DEFAULT_NAMES):
        return _DEFAULTS
    return [field for field in _DEFAULTS if field[0] not in chosen]
