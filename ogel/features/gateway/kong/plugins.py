"""What plugins of Kong's do to a route, as options of an upstream."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_network
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.gateway.upstreams.upstream import MIB, Upstream
from ogel.runtime.rates.policy import Quota

Config = Mapping[str, Any]
_WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_UNITS = {"megabytes": MIB, "kilobytes": 1024, "bytes": 1}
_OPERATORS = frozenset({"admin", "service_role", "dashboard"})
_EVERYBODY = frozenset({"anon", "authenticated", "public"})
_WORD = re.compile(r"[a-z0-9_]{1,40}")


class Left(Struct, frozen=True):
    """Says why an option of a plugin is not taken over; without `option` it is about all of the plugin."""

    option: str
    why: str


Apply = Callable[[Upstream, Config, list[Left]], Upstream]


def _key_auth(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    names = {str(each).lower() for each in _list(config.get("key_names"))}
    if names - {"apikey", "authorization"}:
        left.append(Left("key_names", "keys come in `apikey` or `Authorization: Bearer`"))
    if config.get("anonymous"):
        left.append(Left("anonymous", "who has no key is refused"))
    forwards = config.get("hide_credentials") is False and upstream.forwards
    return replace(upstream, auth="key" if upstream.auth == "open" else upstream.auth, forwards=forwards)


def _acl(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    if config.get("deny"):
        left.append(Left("deny", "say who may, by scopes of keys"))
    groups = {str(each) for each in _list(config.get("allow") or config.get("whitelist"))}
    if groups & _EVERYBODY:
        return replace(upstream, auth="key")
    if len(groups) == 1 and not groups & _OPERATORS and _WORD.fullmatch(group := next(iter(groups))):
        scope = f"kong:{group}"
        left.append(Left("allow", f"make keys with the scope {scope}"))
        return replace(upstream, auth=scope)
    if groups - _OPERATORS:
        left.append(Left("allow", "of several groups only operators are let in: choose one scope"))
    return replace(upstream, auth="admin")


def _basic_auth(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    left.append(Left("", "operators send their key instead of a password"))
    return replace(upstream, auth="admin")


def _jwt(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    left.append(Left("", "people sign in at /auth/v1, whose tokens are taken"))
    return replace(upstream, auth="user")


def _cors(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    for option in ("credentials", "methods", "headers", "exposed_headers", "max_age", "private_network"):
        if config.get(option):
            left.append(
                Left(option, "origins alone are set; methods and headers are allowed as pages ask for them")
            )
    return replace(upstream, cors=True)


def _rate_limiting(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    for option in ("month", "year"):
        if config.get(option):
            left.append(Left(option, "the longest window is a day"))
    if config.get("limit_by", "consumer") not in ("consumer", "credential", "ip"):
        left.append(
            Left("limit_by", "callers are counted by their key, or their address where they have none")
        )
    quotas = tuple(
        Quota(count, seconds)
        for window, seconds in _WINDOWS.items()
        if isinstance(count := config.get(window), int) and 0 < count < 10**9
    )
    return replace(upstream, rate=quotas) if quotas else upstream


def _ip_restriction(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    if config.get("deny") or config.get("blacklist"):
        left.append(Left("deny", "say from where callers may come"))
    networks = []
    for each in _list(config.get("allow") or config.get("whitelist")):
        try:
            networks.append(ip_network(str(each), strict=False))
        except ValueError:
            left.append(Left("allow", f"{str(each)[:60]!r} is no network"))
    return replace(upstream, networks=tuple(networks))


def _request_size_limiting(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    size, unit = config.get("allowed_payload_size", 128), config.get("size_unit", "megabytes")
    if not isinstance(size, int) or not 0 < size < 10**12 or unit not in _UNITS:
        left.append(Left("allowed_payload_size", "it is no size"))
        return upstream
    return replace(upstream, max_body=size * _UNITS[unit])


def _request_termination(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
    status = config.get("status_code", 503)
    if not isinstance(status, int) or not 400 <= status <= 599:
        left.append(
            Left("status_code", "answers that are given instead are errors, 400 to 599; 403 is taken")
        )
        status = 403
    if config.get("message") or config.get("body"):
        left.append(Left("message", "the answer says that the path is not served"))
    return Upstream(upstream.path, None, status=status, auth="open")


def _transformer(
    set_field: str, remove_field: str, upstream: Upstream, config: Config, left: list[Left]
) -> Upstream:
    for action, parts in config.items():
        if not isinstance(parts, dict):
            if parts:
                left.append(Left(str(action)[:40], "header fields alone are set and removed"))
            continue
        for part in parts.keys() - {"headers"}:
            if parts[part]:
                left.append(Left(f"{action}.{str(part)[:40]}", "header fields alone are set and removed"))
        for field in _list(parts.get("headers")):
            upstream = _field(set_field, remove_field, str(action), str(field), upstream, left)
    return upstream


def _field(
    set_field: str, remove_field: str, action: str, field: str, upstream: Upstream, left: list[Left]
) -> Upstream:
    name, _, value = (part.strip() for part in field.partition(":"))
    if name.lower() in ("authorization", "apikey"):
        left.append(Left(f"{action}.headers: {name}", "Ogel reads keys in either and passes on neither"))
    elif action == "remove":
        return replace(upstream, **{remove_field: (*getattr(upstream, remove_field), name.lower())})
    elif action not in ("add", "replace") or "$(" in value or not value:
        left.append(Left(f"{action}.headers: {name[:60]}", "fields are set to fixed values, or removed"))
    else:
        return replace(upstream, **{set_field: (*getattr(upstream, set_field), (name, value))})
    return upstream


def _is_there(what: str) -> Apply:
    def apply(upstream: Upstream, config: Config, left: list[Left]) -> Upstream:
        left.append(Left("", what))
        return upstream

    return apply


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


PLUGINS: Mapping[str, Apply] = {
    "key-auth": _key_auth,
    "acl": _acl,
    "basic-auth": _basic_auth,
    "jwt": _jwt,
    "cors": _cors,
    "rate-limiting": _rate_limiting,
    "ip-restriction": _ip_restriction,
    "request-size-limiting": _request_size_limiting,
    "request-termination": _request_termination,
    "request-transformer": partial(_transformer, "set", "remove"),
    "response-transformer": partial(_transformer, "answer_set", "answer_remove"),
    "correlation-id": _is_there("every request has an X-Request-Id already"),
    "prometheus": _is_there("/metrics has them already"),
    "http-log": _is_there("every request has a line in the log already"),
    "file-log": _is_there("every request has a line in the log already"),
}
