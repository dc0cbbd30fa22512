"""A mount: all that a dialect has below its prefix, handed on as it comes, by almost any method."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from starlette.types import Receive, Scope, Send

from ogel.kernel.errors import Forbidden, NotFound
from ogel.runtime.http.admission import Admissions
from ogel.runtime.http.cors import answer_options, is_preflight
from ogel.runtime.http.credentials import query_parameter
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.path import read_loosely
from ogel.runtime.http.problem import MethodNotAllowed
from ogel.runtime.http.route import Mount
from ogel.runtime.http.streams import check_origin

# Not handed on: TRACE would show a client what we say of it, secrets that are set for the service among it.
_NEVER = ("TRACE", "CONNECT")
METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


class MountEndpoint:
    """
    `inner` are the dialects below the prefix, to which all paths below theirs belong: also those which only a service
    behind us would take for one of them (`//studio`), as that may serve both.
    """

    def __init__(
        self, mount: Mount, dialect: Dialect, admissions: Admissions, inner: Sequence[Dialect]
    ) -> None:
        self._mount = mount
        self._cors = dialect.cors
        self._inner = [each.prefix.casefold() for each in inner]
        readers, companions = dialect.credentials, dialect.companions
        self._admission = admissions.of(mount.access, readers, companions)
        self._stream_admission = admissions.of(mount.access, (*readers, query_parameter), companions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        if self._inner and self._is_of_another(scope["raw_path"]):
            exchange.place = None  # so that it is said in that dialect's words
            raise NotFound("There is nothing at this path.")
        if self._mount.networks and not self._holds(exchange.ip):
            raise Forbidden("This is not served to your address.")
        if scope["type"] == "websocket":
            check_origin(self._cors, exchange.headers)
            await self._stream_admission.admit(scope, exchange)
        else:
            if scope["method"] in _NEVER:
                raise MethodNotAllowed(scope["method"], METHODS)
            if self._cors is not None and is_preflight(scope["method"], exchange.headers):
                await answer_options(self._cors, exchange.headers, METHODS, send)
                return
            await self._admission.admit(scope, exchange)
        exchange.lasting = True
        await self._mount.handler(scope, receive, send)

    def _is_of_another(self, raw_path: bytes) -> bool:
        path = read_loosely(raw_path) + "/"
        return any(path.startswith(f"{prefix}/") for prefix in self._inner)

    def _holds(self, ip: str | None) -> bool:
        return ip is not None and any(ip_address(ip) in network for network in self._mount.networks)
