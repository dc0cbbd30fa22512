"""Connects through an HTTP proxy, which is given the address that the guard vetted and never a name."""

from __future__ import annotations

import asyncio
import base64
import math
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ogel.adapters.egress.dial import connect, first_of
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.response import Head, parse_head
from ogel.adapters.egress.system_names import search_look_up
from ogel.adapters.egress.witnesses import Witnesses
from ogel.runtime.egress import EgressError, Timings

MAX_ANSWER_BYTES = 8192
CONNECT_SECONDS = 5.0  # to the proxy itself, and half of the time left at most
LATELY_SECONDS = 60.0
SLOW_SECONDS = 1.0  # a CONNECT without an answer for so long has the control question asked beside it
CONTROL_SECONDS = 2.0
CONTROL_FRESH_SECONDS = 1.0

# RFC 9209 §2.3: errors that a proxy reports about the next hop, not itself. Squid has a header of its own for it.
_ABOUT_TARGET = re.compile(
    r";\s*error=(?:dns_timeout|dns_error|destination_not_found|destination_unavailable|destination_ip_unroutable"
    r"|connection_refused|connection_terminated|connection_timeout|connection_read_timeout"
    r"|connection_write_timeout)(?![a-z_])"
)
_SQUID_ABOUT_TARGET = "ERR_CONNECT_FAIL"


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """`authorization` is what the Proxy-Authorization header says, if there is one."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> ProxyAddress:
        """Parses `http://[user:password@]host:port`; the setting has been checked before."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        if parts.username is None:
            return cls(parts.hostname, parts.port)
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(
            parts.hostname, parts.port, "Basic " + base64.b64encode(credentials.encode()).decode("ascii")
        )


class _TargetFailed(OSError):
    """The proxy works, and could not connect to this address."""


class Proxy:
    """
    Whose fault. A proxy that is not reached, does not accept us (407), answers 3xx, 4xx or what is no HTTP, or hangs
    up, is our outage: reason `proxy`, and `ours`. 502 and 504 speak of the target (RFC 9110 §15.6), as does
    whatever carries a Proxy-Status or X-Squid-Error that says so. Other 5xx are used for both: they are the target's
    when the proxy opened a tunnel to another address within the last minute, else ours. Silence after CONNECT is
    the target's if the proxy answers anything else meanwhile; to know, it is asked for its own options.
    """

    def __init__(self, address: ProxyAddress, resolver: Resolver | None = None) -> None:
        self._address = address
        self._resolver: Resolver = resolver or SystemResolver(search_look_up)
        self._tunnels = Witnesses()
        self._alive_at = -math.inf
        self._control: asyncio.Task[None] | None = None

    def is_silent_since(self, at: float) -> bool:
        """Whether the proxy has shown no sign of life since then (time.monotonic()), to any request."""
        return self._alive_at < at - CONTROL_FRESH_SECONDS

    async def dial(
        self, addresses: Sequence[str], port: int, deadline: float, timings: Timings
    ) -> tuple[socket.socket, str]:
        """As `dial.dial`, through a tunnel; may also raise EgressError("proxy")."""
        return await first_of(
            addresses, deadline, timings, lambda address: self._tunnel(address, port, deadline)
        )

    async def _tunnel(self, address: str, port: int, deadline: float) -> socket.socket:
        connected = await self._connected(deadline)
        try:
            try:
                head = await self._asked(connected, address, port, deadline)
            except OSError as error:
                raise _fault("hung up", str(error)) from error
            self._judge(head, address)
        except BaseException:
            connected.close()
            raise
        return connected

    async def _connected(self, deadline: float) -> socket.socket:
        loop = asyncio.get_running_loop()
        until = loop.time() + min(CONNECT_SECONDS, (deadline - loop.time()) / 2)
        try:
            async with asyncio.timeout_at(until):
                host = self._address.host
                addresses = self._resolver.cached(host) or await self._resolver.resolve(host)
                connected, _ = await first_of(
                    addresses, until, Timings(), lambda address: connect(address, self._address.port)
                )
                return connected
        except TimeoutError as error:
            raise _fault("cannot be reached", "it did not accept in time") from error
        except EgressError as error:
            raise _fault("cannot be reached", f"{error.message}: {error.detail}") from error

    async def _asked(self, connected: socket.socket, address: str, port: int, deadline: float) -> Head:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connected, self._request(address, port))
        slow = loop.call_later(min(SLOW_SECONDS, (deadline - loop.time()) / 2), self._ask_control)
        answer = b""
        try:
            while b"\r\n\r\n" not in answer:
                more = await loop.sock_recv(connected, MAX_ANSWER_BYTES)
                answer += more
                if not more:
                    raise _fault("hung up")
                if len(answer) > MAX_ANSWER_BYTES:
                    raise _fault("answered too much")
        finally:
            slow.cancel()
        self._alive_at = time.monotonic()
        data, _, rest = answer.partition(b"\r\n\r\n")
        try:
            head = parse_head(data)
        except EgressError as error:
            raise _fault("answered what is no HTTP", error.message) from error
        if 200 <= head.status < 300 and rest:
            raise _fault("answered what is no HTTP", "data before ours went through the tunnel")
        return head

    def _request(self, address: str, port: int) -> bytes:
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        authorization = self._address.authorization
        credentials = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
        return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}\r\n".encode("ascii")

    def _ask_control(self) -> None:
        """Asks the proxy for its options. One such request at a time."""
        if self._control is None or self._control.done():
            self._control = asyncio.get_running_loop().create_task(self._listen_for_life())

    async def _listen_for_life(self) -> None:
        loop = asyncio.get_running_loop()
        question = f"OPTIONS * HTTP/1.1\r\nHost: {self._address.host}\r\nMax-Forwards: 0\r\n\r\n"
        try:
            async with asyncio.timeout(CONTROL_SECONDS):
                connected = await self._connected(loop.time() + 2 * CONTROL_SECONDS)
                with connected:
                    await loop.sock_sendall(connected, question.encode())
                    await loop.sock_recv(connected, 1)  # whatever it is, or that it hangs up
        except (OSError, EgressError):
            return  # That there was no sign of life is the answer.
        self._alive_at = time.monotonic()

    def _judge(self, head: Head, address: str) -> None:
        if 200 <= head.status < 300:
            self._tunnels.heard(address)
        elif head.status >= 500 and self._is_about_target(head, address):
            raise _TargetFailed(f"the proxy answered {head.status}")
        else:
            raise _fault("did not let us through", f"it answered {head.status}")

    def _is_about_target(self, head: Head, address: str) -> bool:
        for name, value in head.headers:
            match name.lower():
                case "proxy-status" if "error=" in value:
                    return _ABOUT_TARGET.search(value) is not None
                case "x-squid-error":
                    return value.startswith(_SQUID_ABOUT_TARGET)
        if head.status in (502, 504):
            return True
        return self._tunnels.last_for_others(address) > time.monotonic() - LATELY_SECONDS


def _fault(what: str, detail: str = "") -> EgressError:
    return EgressError("proxy", f"the outgoing proxy {what}", detail=detail, ours=True)
