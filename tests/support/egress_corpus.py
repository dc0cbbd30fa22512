"""URLs that must never be called, and a canary that notices when one is."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

HOSTS = Path(__file__).parents[1] / "unit" / "adapters" / "egress" / "forbidden_hosts.txt"

# Everything around the host that makes two readers of one URL see two hosts. `{p}` is the canary's port.
TRICKS = {
    "user": "http://user@127.0.0.1:{p}/",
    "user and password": "http://user:secret@127.0.0.1:{p}/",
    "public name as user": "http://example.com@127.0.0.1:{p}/",
    "public name and port as user": "http://example.com:80@127.0.0.1:{p}/",
    "canary as user": "http://127.0.0.1:{p}@example.com/",
    "two users": "http://example.com@example.org@127.0.0.1:{p}/",
    "empty user": "http://@127.0.0.1:{p}/",
    "encoded at": "http://example.com%40127.0.0.1:{p}/",
    "backslash before at": "http://example.com\\@127.0.0.1:{p}/",
    "backslash after the address": "http://127.0.0.1:{p}\\@example.com/",
    "backslashes for slashes": "http:\\\\127.0.0.1:{p}\\",
    "slash and backslash": "http:/\\127.0.0.1:{p}/",
    "tab in the address": "http://127.0.0\t.1:{p}/",
    "tab before the port": "http://127.0.0.1\t:{p}/",
    "tab in the scheme": "ht\ttp://127.0.0.1:{p}/",
    "newline in the scheme": "ht\ntp://127.0.0.1:{p}/",
    "newline before the address": "http://\n127.0.0.1:{p}/",
    "leading blank": " http://127.0.0.1:{p}/",
    "leading control character": "\x01http://127.0.0.1:{p}/",
    "a second request in the path": "http://127.0.0.1:{p}/\r\nHost: example.com\r\n\r\n",
    "NUL in the host": "http://127.0.0.1\x00.example.com:{p}/",
    "encoded NUL in the host": "http://127.0.0.1%00.example.com:{p}/",
    "encoded digits": "http://%31%32%37.0.0.1:{p}/",
    "encoded dot": "http://127%2e0%2e0%2e1:{p}/",
    "encoded slash": "http://127.0.0.1:{p}%2f.example.com/",
    "query for a path": "http://127.0.0.1:{p}?@example.com/",
    "fragment for a path": "http://127.0.0.1:{p}#@example.com/",
    "zone id": "http://[::1%25lo]:{p}/",
    "bare zone id": "http://[::1%lo]:{p}/",
    "zone id of a link": "http://[fe80::1%25eth0]:{p}/",
    "brackets around IPv4": "http://[127.0.0.1]:{p}/",
    "IPv6 without brackets": "http://::1:{p}/",
    "IPvFuture": "http://[v1.127.0.0.1]:{p}/",
    "two ports": "http://127.0.0.1:{p}:80/",
    "signed port": "http://127.0.0.1:+{p}/",
    "port with blanks": "http://127.0.0.1: {p}/",
    "empty port and path": "http://127.0.0.1:/",
    "capital scheme": "HTTP://127.0.0.1:{p}/",
    "https": "https://127.0.0.1:{p}/",
    "https by name": "https://localhost:{p}/",
    "no scheme": "127.0.0.1:{p}/",
    "no slashes": "http:127.0.0.1:{p}/",
    "one slash": "http:/127.0.0.1:{p}/",
    "three slashes": "http:///127.0.0.1:{p}/",
    "scheme of the page": "//127.0.0.1:{p}/",
    "ftp": "ftp://127.0.0.1:{p}/",
    "gopher": "gopher://127.0.0.1:{p}/_POST%20/",
    "file": "file://127.0.0.1:{p}/etc/passwd",
    "ws": "ws://127.0.0.1:{p}/",
    "part too large": "http://127.0.0.257:{p}/",
    "five parts": "http://127.0.0.0.1:{p}/",
    "number too large": "http://6425673729:{p}/",
    "octal with a nine": "http://0177.0.0.09:{p}/",
    "number with a suffix": "http://127.0.0.0x1:{p}/",
    "two trailing dots": "http://127.0.0.1..:{p}/",
    "metadata by path": "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "metadata of containers": "http://169.254.170.2/v2/credentials/",
    "metadata of another cloud": "http://100.100.100.200/latest/meta-data/",
    "metadata over IPv6": "http://[fd00:ec2::254]/latest/meta-data/",
}


def forbidden_urls(port: int) -> Iterator[tuple[str, str]]:
    """(name, url): each must be refused before anything is looked up or connected to."""
    for host in HOSTS.read_text(encoding="utf-8").split():
        yield f"host {host}", f"http://{host}:{port}/hook"
    for name, url in TRICKS.items():
        yield name, url.format(p=port)


def forbidden_answers() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name, what the name servers say of a public name): none of these may be connected to."""
    yield "loopback", ("127.0.0.1",)
    yield "public, then loopback", ("93.184.216.34", "127.0.0.1")
    yield "loopback, then public", ("127.0.0.1", "93.184.216.34")
    yield "private among many", (*(f"93.184.216.{n}" for n in range(20)), "10.0.0.1")
    yield "IPv4-mapped loopback", ("::ffff:127.0.0.1",)
    yield "public IPv6, mapped private IPv4", ("2606:4700::1111", "::ffff:10.0.0.1")
    yield "both loopbacks", ("::1", "127.0.0.1")
    yield "this host", ("0.0.0.0",)
    yield "unspecified IPv6", ("::",)
    yield "link-local with a zone", ("fe80::1%lo",)
    yield "loopback with a zone", ("::1%lo",)
    yield "NAT64 of loopback", ("64:ff9b::7f00:1",)
    yield "6to4 of loopback", ("2002:7f00:1::",)
    yield "Teredo", ("2001:0:7f00:1::",)
    yield "ISATAP", ("2606:4700::5efe:127.0.0.1",)
    yield "IPv4-compatible", ("::127.0.0.1",)
    yield "metadata", ("169.254.169.254",)
    yield "private network of the platform", ("fd12:3456::1", "10.130.0.7")
    yield "nothing", ()


class Canary:
    """Listens on loopback (IPv4, and IPv6 where there is any) and needs no loop to notice a connection."""

    def __init__(self) -> None:
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._sockets[0].getsockname()[1]
        with suppress(OSError):  # no IPv6 here, or the port is taken there
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))

    def heard(self) -> bool:
        """A connection has been made to it, at any time."""
        return bool(select.select(self._sockets, [], [], 0)[0])

    def __enter__(self) -> Canary:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for listening in self._sockets:
            listening.close()
