"""
An upstream as OGEL_UPSTREAMS says it: `/studio=http://studio.railway.internal:3000;auth=admin`, several of them
separated by commas or line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ogel.kernel.roles import is_of_people
from ogel.knobs import Takes
from ogel.runtime.rates.policy import Quota, quotas_of
from ogel.runtime.server_urls.others import clean_endpoint
from ogel.runtime.server_urls.parts import BadUrl

MIB = 1024 * 1024
MAX_UPSTREAMS = 100
MAX_RETRIES = 5
_UNITS = {"KIB": 1024, "MIB": MIB, "GIB": 1024 * MIB, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "B": 1, "": 1}
# A comma may stand in an option; before the path of the next one it separates.
_SEPARATOR = re.compile(r"[\r\n]+|,\s*(?=/)")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+|/")
_SIZE = re.compile(r"([1-9][0-9]{0,14})\s*([A-Za-z]{0,3})")
_SECONDS = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)s?")
_SCOPE = re.compile(r"[a-z][a-z0-9_]*:[a-z0-9_]+")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?")
_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,253}")
# What a client must not be able to have from us, whatever is configured: framing, and who it is.
_NOT_TO_SET = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})

Fields = tuple[tuple[str, str], ...]


class Upstream(Struct, frozen=True):
    """
    path            `/studio`: it and all below. `/`: what nothing else has.
    url             without a slash at its end; None: nobody is asked, and `status` answered.
    auth            `open`, `key` (any, and people), `user`, `admin`, the scope that a key needs, or the role of people
                    who are let in besides operators.
    strips          the upstream is asked without `path`.
    timeout         seconds until the head of the answer; `idle`: between two pieces of its body.
    max_body        bytes of a request; None: any.
    retries         of requests that may be repeated.
    host            what it is told as Host: `upstream` (its own name), `client` (what the client said), or a name.
    forwards        it gets the client's `Authorization` and `apikey` although they hold our key.
    cors            pages of other origins may use it, by OGEL_CORS_ORIGINS, whatever it says itself.
    rate            quotas of each caller; None: those of reading.
    networks        from where callers may come; empty: from everywhere.
    set, remove     header fields of requests; `answer_set`, `answer_remove`: of answers.
    """

    path: str
    url: str | None
    status: int = 0
    auth: str = "admin"
    strips: bool = True
    timeout: float = 60.0
    idle: float = 300.0
    max_body: int | None = 100 * MIB
    retries: int = 1
    host: str = "upstream"
    forwards: bool = False
    cors: bool = False
    rate: tuple[Quota, ...] | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    set: Fields = ()
    remove: tuple[str, ...] = ()
    answer_set: Fields = ()
    answer_remove: tuple[str, ...] = ()

    def __str__(self) -> str:
        return _as_text(self)

    @property
    def role(self) -> str | None:
        return self.auth if is_of_people(self.auth) else None

    @property
    def is_for_scope(self) -> bool:
        return self.role is None and _SCOPE.fullmatch(self.auth) is not None

    @property
    def prefix(self) -> str:
        """Returns the prefix of its dialect."""
        return "" if self.path == "/" else self.path


def upstreams() -> Takes:
    shape = "/path=http://host:port;auth=open|key|user|admin|SCOPE|ROLE;…, separated by commas or line breaks"
    return Takes(shape, upstreams_of)


def upstreams_of(text: str) -> tuple[Upstream, ...]:
    """Parses the setting. Raises BadUrl, whose text names the upstream and the option."""
    found = tuple(_upstream(each.strip()) for each in _SEPARATOR.split(text) if each.strip(" ,\t"))
    paths = [each.path for each in found]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise BadUrl(f"{twice} is there twice")
    if len(found) > MAX_UPSTREAMS:
        raise BadUrl(f"there are more than {MAX_UPSTREAMS}")
    return found


def _upstream(text: str) -> Upstream:
    whole, *options = [part.strip() for part in text.rstrip(",; \t").split(";")]
    path, equals, target = (part.strip() for part in whole.partition("="))
    shown = path[:60]
    if not equals or not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise BadUrl(f"{shown!r} is no path such as /studio, with = and an address behind it")
    upstream = upstream_at(path, target)
    for option in options:
        name, equals, value = (part.strip() for part in option.partition("="))
        if name not in _OPTIONS:
            near = get_close_matches(name, _OPTIONS, n=1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(_OPTIONS)}"
            raise BadUrl(f"{shown}: {name[:40]!r} is no option; {meant}")
        try:
            if not equals:
                raise ValueError
            upstream = _OPTIONS[name](upstream, value)
        except ValueError as error:
            why = f": {error}" if isinstance(error, BadUrl) else ""
            raise BadUrl(f"{shown}: {name} takes {_TAKES[name]}{why}") from None
    return upstream


def upstream_at(path: str, target: str) -> Upstream:
    """An upstream as it is without options. `target` is a URL, or a status to answer. Raises BadUrl."""
    if re.fullmatch(r"[45][0-9]{2}", target):
        return Upstream(path, None, status=int(target), auth="open")
    try:
        url = clean_endpoint(target).url
    except BadUrl as error:
        raise BadUrl(f"{path}: its address is no http(s)://host:port: {error}") from None
    return Upstream(path, url.rstrip("/"))


def _auth(upstream: Upstream, value: str) -> Upstream:
    named = value in ("open", "key", "user", "admin") or is_of_people(value)
    if not named and not _SCOPE.fullmatch(value):
        raise ValueError
    return replace(upstream, auth=value)


def _flag(field: str, upstream: Upstream, value: str) -> Upstream:
    if value.lower() not in ("yes", "true", "on", "no", "false", "off"):
        raise ValueError
    return replace(upstream, **{field: value.lower() in ("yes", "true", "on")})


def _seconds(field: str, upstream: Upstream, value: str) -> Upstream:
    found = _SECONDS.fullmatch(value)
    if found is None or not 0.1 <= float(found[1]) <= 86_400:
        raise ValueError
    return replace(upstream, **{field: float(found[1])})


def _max_body(upstream: Upstream, value: str) -> Upstream:
    if value.lower() == "off":
        return replace(upstream, max_body=None)
    found = _SIZE.fullmatch(value)
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError
    return replace(upstream, max_body=int(found[1]) * _UNITS[found[2].upper()])


def _retries(upstream: Upstream, value: str) -> Upstream:
    if not value.isascii() or not value.isdigit() or int(value[:3]) > MAX_RETRIES:
        raise ValueError
    return replace(upstream, retries=int(value))


def _host(upstream: Upstream, value: str) -> Upstream:
    if not _HOST.fullmatch(value):
        raise ValueError
    return replace(upstream, host=value)


def _forward(upstream: Upstream, value: str) -> Upstream:
    if value.lower() != "authorization":
        raise ValueError
    return replace(upstream, forwards=True)


def _rate(upstream: Upstream, value: str) -> Upstream:
    return replace(upstream, rate=quotas_of(value))


def _networks(upstream: Upstream, value: str) -> Upstream:
    return replace(upstream, networks=tuple(ip_network(each, strict=False) for each in value.split()))


def _set(field: str, upstream: Upstream, value: str) -> Upstream:
    name, _, content = (part.strip() for part in value.partition(":"))
    if not _VALUE.fullmatch(content):
        raise ValueError
    return replace(upstream, **{field: (*getattr(upstream, field), (_field_name(name), content))})


def _remove(field: str, upstream: Upstream, value: str) -> Upstream:
    return replace(upstream, **{field: (*getattr(upstream, field), _field_name(value).lower())})


def _field_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.lower() in _NOT_TO_SET:
        raise ValueError
    return name


_OPTIONS: Mapping[str, Callable[[Upstream, str], Any]] = {
    "auth": _auth,
    "strip": partial(_flag, "strips"),
    "timeout": partial(_seconds, "timeout"),
    "idle": partial(_seconds, "idle"),
    "max_body": _max_body,
    "retries": _retries,
    "host": _host,
    "forward": _forward,
    "cors": partial(_flag, "cors"),
    "rate": _rate,
    "allow": _networks,
    "set": partial(_set, "set"),
    "remove": partial(_remove, "remove"),
    "answer_set": partial(_set, "answer_set"),
    "answer_remove": partial(_remove, "answer_remove"),
}
_TAKES: Mapping[str, str] = {
    "auth": "open, key, user, admin, a scope such as studio:read, or a role such as label:staff",
    "strip": "yes or no",
    "timeout": "seconds, such as 60",
    "idle": "seconds, such as 300",
    "max_body": "a size such as 100MiB, or off",
    "retries": f"0 to {MAX_RETRIES}",
    "host": "upstream, client, or a host's name",
    "forward": "authorization",
    "cors": "yes or no",
    "rate": "requests/window such as 100/1m, or off",
    "allow": "networks such as 10.0.0.0/8, with spaces between them",
    "set": "Name: value",
    "remove": "a header's name",
    "answer_set": "Name: value",
    "answer_remove": "a header's name",
}


def _as_text(upstream: Upstream) -> str:
    target = str(upstream.status) if upstream.url is None else upstream.url
    parts = [f"{upstream.path}={target}"]
    if upstream.url is None:
        return parts[0]
    plain = Upstream("/", "")
    parts.append(f"auth={upstream.auth}")
    for name, field, written in _WRITTEN:
        value = getattr(upstream, field)
        if value == getattr(plain, field):
            continue
        many = isinstance(value, tuple) and field not in ("rate", "networks")
        parts += [f"{name}={written(each)}" for each in (value if many else (value,))]
    return ";".join(parts)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _field(field: tuple[str, str]) -> str:
    return f"{field[0]}: {field[1]}"


def _size(value: int | None) -> str:
    if value is None:
        return "off"
    return f"{value // MIB}MiB" if value % MIB == 0 else f"{value}B"


_WRITTEN: Sequence[tuple[str, str, Callable[[Any], str]]] = (
    ("strip", "strips", _yes),
    ("timeout", "timeout", "{:g}".format),
    ("idle", "idle", "{:g}".format),
    ("max_body", "max_body", _size),
    ("retries", "retries", str),
    ("host", "host", str),
    ("forward", "forwards", lambda value: "authorization"),
    ("cors", "cors", _yes),
    ("rate", "rate", lambda value: ", ".join(map(str, value)) or "off"),
    ("allow", "networks", lambda value: " ".join(map(str, value))),
    ("set", "set", _field),
    ("remove", "remove", str),
    ("answer_set", "answer_set", _field),
    ("answer_remove", "answer_remove", str),
)
