"""
Header fields on their way through: what is of one connection stays there (RFC 9110 §7.6.1); who asks is ours to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from starlette.types import Scope

from ogel.features.gateway.upstreams.upstream import Upstream
from ogel.runtime.http.exchange import Exchange

Field = tuple[bytes, bytes]

_HOP_BY_HOP = frozenset(
    {
        b"connection", b"http2-settings", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
# What only the gateway says to an upstream: a client's own are dropped.
_SAID_BY_US = frozenset({b"forwarded", b"x-real-ip", b"x-request-id", b"x-client-ip", b"x-cluster-client-ip"})
_PREFIXES_OF_OURS = (b"x-forwarded-", b"x-ogel-")
# We have answered an Expect ourselves by the time that a body is passed on.
_NOT_PASSED = _HOP_BY_HOP | {b"expect", b"host"}
_CREDENTIALS = frozenset({b"authorization", b"apikey"})
_SPECIAL = _NOT_PASSED | _SAID_BY_US | _CREDENTIALS | {b"content-length", b"cookie"}
_OF_ITS_SERVER = frozenset({b"server", b"x-powered-by", b"x-request-id"})


# How every key of ours begins, save the one of the settings.
_KEY_BEGINS = b"ogel_"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class BadAnswer(Exception):
    """An upstream's answer has a head that must not be passed on."""


def to_upstream(
    scope: Scope, exchange: Exchange, upstream: Upstream, our_keys: frozenset[bytes]
) -> list[tuple[str, str]]:
    """
    Returns the fields that an upstream gets. `our_keys`: credentials that are dropped wherever they stand, as they
    are ours.
    """
    named = _named_by_connection(scope["headers"])
    dropped = {name.encode() for name in upstream.remove} | {
        name.lower().encode() for name, _ in upstream.set
    }
    fields = [
        (str(name, "latin-1"), _text(value))
        for name, value in scope["headers"]
        if not _is_ours(name)
        and name not in _NOT_PASSED
        and name not in named
        and name not in dropped
        and not (name in _CREDENTIALS and _holds_our_key(name, value, upstream, our_keys))
    ]
    return [*fields, *_about(scope, exchange, upstream), *upstream.set]


def _is_ours(name: bytes) -> bool:
    """
    Whether only we may say it. Many servers take `_` for `-`: `X_Forwarded_For` would arrive as what it is not.
    """
    if b"_" in name:
        meant = name.replace(b"_", b"-")
        return meant in _SPECIAL or meant.startswith(_PREFIXES_OF_OURS)
    return name in _SAID_BY_US or name.startswith(_PREFIXES_OF_OURS)


def _holds_our_key(name: bytes, value: bytes, upstream: Upstream, our_keys: frozenset[bytes]) -> bool:
    """An open upstream has credentials of its own, which are passed on; whoever sends it a key of ours was mistaken."""
    if upstream.forwards:
        return False
    if upstream.auth != "open":
        return True
    secret = value.split(b" ")[-1]
    return secret in our_keys or secret.startswith(_KEY_BEGINS)


def _about(scope: Scope, exchange: Exchange, upstream: Upstream) -> list[tuple[str, str]]:
    """Returns what an upstream is told of the request that came to us."""
    proto = "https" if exchange.secure else "http"
    host = str(exchange.headers.get(b"host", b""), "latin-1")
    ip = exchange.ip or "unknown"
    node = f'"[{ip}]"' if ":" in ip else ip
    fields = [
        ("x-forwarded-for", ip),
        ("x-forwarded-proto", proto),
        ("x-forwarded-host", host),
        ("forwarded", f"for={node};proto={proto}" + (f';host="{host}"' if host else "")),
        ("x-real-ip", ip),
        ("x-request-id", exchange.request_id),
    ]
    if upstream.strips and upstream.prefix:
        fields.append(("x-forwarded-prefix", upstream.prefix))
    if upstream.auth != "open":
        principal = exchange.principal
        fields += [("x-ogel-principal", principal.id), ("x-ogel-kind", principal.kind)]
    if upstream.host != "upstream":
        fields.append(("host", host if upstream.host == "client" else upstream.host))
    return fields


def from_upstream(status: int, raw: Sequence[Field], exchange: Exchange, upstream: Upstream) -> list[Field]:
    """
    Returns the fields of an upstream's answer that the client gets. Raises BadAnswer for what two readers of it could
    take for different answers.
    """
    if not 200 <= status <= 599:
        raise BadAnswer(f"its status is {status}")
    lowered = [(name.lower(), value) for name, value in raw]
    named = _named_by_connection(lowered)
    is_chunked = any(name == b"transfer-encoding" for name, _ in lowered)
    lengths = {value for name, value in lowered if name == b"content-length"}
    if not is_chunked and (
        len(lengths) > 1 or not all(value.isdigit() and len(value) < 19 for value in lengths)
    ):
        raise BadAnswer("its Content-Length is no number, or two of them")
    dropped = {name.encode() for name in upstream.answer_remove}
    dropped |= {name.lower().encode() for name, _ in upstream.answer_set}
    passed: list[Field] = []
    for name, value in lowered:
        if name in _HOP_BY_HOP or name in _OF_ITS_SERVER or name in named or name in dropped:
            continue
        if name == b"content-length" and (is_chunked or any(each == name for each, _ in passed)):
            continue
        if upstream.cors and name.startswith(b"access-control-"):
            continue
        if exchange.secure and name == b"strict-transport-security":
            continue  # said once, by us
        if _CONTROL.search(value):
            raise BadAnswer("a field of it holds a control character")
        passed.append(
            (name, _moved(value, upstream) if name in (b"location", b"content-location") else value)
        )
    return [*passed, *((name.lower().encode(), value.encode()) for name, value in upstream.answer_set)]


def _moved(location: bytes, upstream: Upstream) -> bytes:
    """Rewrites a URL that names the upstream itself, which clients cannot reach, to where they can."""
    base = (upstream.url or "").encode()
    if location != base and not location.startswith((base + b"/", base + b"?")):
        return location
    rest = location[len(base) :]
    prefix = upstream.prefix.encode() if upstream.strips else b""
    return prefix + rest or b"/"


def _named_by_connection(fields: Iterable[Field]) -> frozenset[bytes]:
    named = {
        word.strip().lower() for name, value in fields if name == b"connection" for word in value.split(b",")
    }
    # Whoever names these wants us to lose what tells where a message ends.
    return frozenset(named - {b"content-length", b"host"})


def _text(value: bytes) -> str:
    """For aiohttp, which encodes UTF-8: what is UTF-8 arrives as it was."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
