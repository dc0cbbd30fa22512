"""Redis URLs: address, credentials and how TLS is verified are kept; options for pools and timeouts are dropped."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from ogel.runtime.server_urls.parts import (
    BadUrl,
    Check,
    Cleaned,
    ServerUrl,
    anything,
    checked_value,
    names,
    number,
    one_of,
    unknown_option,
)

SHAPE = "redis://[user:password@]host:port[/db]"
_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
_PATH = re.compile(r"/?|/[0-9]{1,5}/?")
_BOOL = one_of("true", "false", "True", "False", "1", "0", "yes", "no")
_KEPT: dict[str, Check] = {
    "db": number(0, 99_999),
    "protocol": one_of("2", "3"),
    "username": anything,
    "password": anything,
    "client_name": anything,
}
# Celery writes the constants of Python's ssl module.
_CERTIFICATES = {"cert_none": "none", "cert_optional": "optional", "cert_required": "required"}
_KEPT_WITH_TLS: dict[str, Check] = {
    "ssl_cert_reqs": one_of("none", "optional", "required"),
    "ssl_check_hostname": _BOOL,
    **dict.fromkeys(
        ("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_password"),
        anything,
    ),
}
FOREIGN = frozenset(
    names(
        # redis-py and its relatives
        "socket_timeout socket_connect_timeout socket_keepalive socket_read_size retry_on_timeout retry_on_error",
        "max_connections health_check_interval timeout decode_responses encoding encoding_errors charset lib_name",
        "lib_version legacy_responses single_connection_client",
        # Node.js
        "family enablereadycheck maxretriesperrequest lazyconnect connecttimeout commandtimeout keepalive nodelay",
        "enableofflinequeue autoresubscribe autoresendunfulfilledcommands allowusernameinuri connectionname",
        "enableautopipelining showfriendlyerrorstack noready",
        # Go, PHP, Ruby, Java
        "dial_timeout read_timeout write_timeout pool_size pool_timeout pool_fifo min_idle_conns max_idle_conns",
        "max_retries min_retry_backoff max_retry_backoff idle_timeout idle_check_frequency conn_max_idle_time",
        "conn_max_lifetime max_conn_age max_active_conns persistent persistent_id read_write_timeout retry_interval",
        "lazy tcp_keepalive tcp_nodelay async_connect reconnect_attempts clientname libraryname timeoutms",
        # Celery, Channels
        "visibility_timeout fanout_prefix fanout_patterns global_keyprefix virtual_host alive",
        "abortconnect allowadmin connectretry synctimeout asynctimeout",
    )
)
# Options that would place Ogel's keys elsewhere must not be dropped silently.
_ELSEWHERE = {
    "prefix": "Ogel's keys take no prefix; give it a database number of its own",
    "keyprefix": "Ogel's keys take no prefix; give it a database number of its own",
    "key_prefix": "Ogel's keys take no prefix; give it a database number of its own",
    "database": "the database's number is written behind the host, as /1",
    "dbindex": "the database's number is written behind the host, as /1",
}
_TLS_WORDS = ("tls", "ssl", "secure")


def clean(text: str) -> Cleaned:
    """Raises BadUrl."""
    url = ServerUrl.parse(text)
    if url.scheme not in _SCHEMES:
        raise BadUrl("its scheme is another one")
    scheme = _SCHEMES[url.scheme]
    if not url.place or "," in url.place or not url.places[0][0]:
        raise BadUrl("it needs one host")
    if not _PATH.fullmatch(url.path):
        raise BadUrl("what stands behind its host is not the number of a database")
    known = {**_KEPT, **_KEPT_WITH_TLS} if scheme == "rediss" else _KEPT
    kept, ignored = [], []
    for name, value in url.options:
        if name == "ssl_cert_reqs":
            value = _CERTIFICATES.get(unquote(value).lower(), unquote(value).lower())
        if name in known:
            checked_value(name, value, known)
            kept.append((name, value))
        elif _means_nothing(name.lower(), unquote(value).lower(), scheme):
            ignored.append(f"option {name}")
        else:
            raise _refusal(name)
    return Cleaned(str(replace(url, scheme=scheme, options=tuple(kept))), tuple(ignored))


def _means_nothing(name: str, value: str, scheme: str) -> bool:
    if name in _TLS_WORDS:
        return scheme == "rediss" or value in ("false", "0", "no", "none")
    return name in FOREIGN or name == "skip_verify" or (name.startswith("ssl_") and scheme == "redis")


def _refusal(name: str) -> BadUrl:
    if name.lower() in _TLS_WORDS:
        return BadUrl(f"it has the option {name!r}; with TLS, its scheme is rediss://")
    why = _ELSEWHERE.get(name.lower())
    return BadUrl(f"it has the option {name!r}: {why}") if why else unknown_option(name)
