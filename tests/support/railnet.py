"""
Railway's private network as a service meets it, in network namespaces of Linux: one for each service, IPv6 alone, names
in `railway.internal` from a name server at Railway's own address; and outside of it a proxy with a public name.

Needs root and iproute2 (Debian: `apt-get install -y iproute2`). Nothing of it reaches the machine's own networks.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.support.in_thread import ServerInThread

NETWORK = "fd5a:7261:696c"  # the private one
_PUBLIC = "2001:db8:6f67::1"  # of documentation: nobody's
_NAME_SERVER = "fd12::10"
_NEW_NAMESPACE = 0x40000000  # CLONE_NEWNET
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS
_BIND, _OF_OURS_ALONE = 0x1000, 0x4000 | 0x40000  # MS_BIND; MS_REC and MS_PRIVATE
_INSIDE = """
import runpy, sys
from tests.support.railnet import move_in
move_in("{namespace}")
sys.argv[0] = "ogel"
runpy.run_module("ogel", run_name="__main__")
"""
_AAAA, _CNAME, _IN = 28, 5, (1).to_bytes(2)
_CHUNK = 65_536
Done = TypeVar("Done")


def why_not() -> str | None:
    """What is missing for it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    if shutil.which("ip") is None:
        return "iproute2 is missing (Debian: apt-get install -y iproute2)"
    name = f"ogel-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode != 0:
        return f"this machine makes no network namespaces: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


class Railnet:
    """
    `names` are the services'; `public` are names of the proxy, which stands at one address for all of them, and
    `aliases` others that stand for these.
    """

    def __init__(self, names: Sequence[str], public: Sequence[str], aliases: Mapping[str, str] = {}) -> None:
        self._label = f"ogel-{os.getpid()}"
        self._addresses = {name: f"{NETWORK}::{place + 16:x}" for place, name in enumerate(names)}
        zone = {f"{name}.railway.internal": address for name, address in self._addresses.items()}
        self._zone = zone | dict.fromkeys(public, _PUBLIC)
        self._aliases = aliases
        self._stack = ExitStack()
        self._links = 0

    def __enter__(self) -> Self:
        _forget_killed()
        with ExitStack() as stack:
            self._make("hub", stack)
            self._ip("hub", "link add bridge0 type bridge")
            self._ip("hub", f"addr add {NETWORK}::1/64 dev bridge0 nodad")
            self._ip("hub", "link set bridge0 up")
            for address in (_NAME_SERVER, _PUBLIC):
                self._ip("hub", f"addr add {address}/128 dev lo nodad")
            for name, address in self._addresses.items():
                self._make(name, stack)
                self._join(name, address)
            stack.enter_context(
                _Names(self.listen("hub", 53, _NAME_SERVER, datagrams=True), self._zone, self._aliases)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def program(self, name: str) -> str:
        """What a forked process is to be (`-c`) that is `ogel` inside the service."""
        return _INSIDE.format(namespace=f"{self._label}-{name}")

    def listen(
        self,
        name: str,
        port: int,
        address: str = "::",
        *,
        datagrams: bool = False,
        family: socket.AddressFamily = socket.AF_INET6,
    ) -> socket.socket:
        """Inside the service; of the hub at its public address, say."""

        def bound() -> socket.socket:
            kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
            made = socket.socket(family, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            if not datagrams:
                made.listen(256)
            return made

        return self._inside(name, bound)

    def public_port(self, port: int) -> socket.socket:
        """One of the proxy."""
        return self.listen("hub", port, _PUBLIC)

    def dial(self, name: str, port: int) -> Callable[[], socket.socket]:
        """What connects to a port of the service from its own machine."""
        return lambda: self._inside(name, lambda: socket.create_connection(("::1", port), timeout=5))

    def _make(self, name: str, stack: ExitStack) -> None:
        namespace = f"{self._label}-{name}"
        _run("ip", "netns", "add", namespace)
        stack.callback(subprocess.run, ["ip", "netns", "del", namespace], check=False)
        own = Path("/etc/netns") / namespace
        own.mkdir(parents=True)
        stack.callback(shutil.rmtree, own, ignore_errors=True)
        (own / "resolv.conf").write_text(f"nameserver {_NAME_SERVER}\noptions timeout:1 attempts:2\n")
        (own / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        self._ip(name, "link set lo up")

    def _join(self, name: str, address: str) -> None:
        self._links += 1
        namespace = f"{self._label}-{name}"
        self._ip("hub", f"link add port{self._links} type veth peer name eth0 netns {namespace}")
        self._ip("hub", f"link set port{self._links} master bridge0 up")
        self._ip(name, f"addr add {address}/64 dev eth0 nodad")
        self._ip(name, "link set eth0 up")
        self._ip(name, f"route add default via {NETWORK}::1")

    def _ip(self, name: str, words: str) -> None:
        _run("ip", "-n", f"{self._label}-{name}", *words.split())

    def _inside(self, name: str, act: Callable[[], Done]) -> Done:
        """In a thread that is there; what it opens stays there."""
        done: list[Done] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                with open(f"/run/netns/{self._label}-{name}", "rb") as namespace:
                    _checked(ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NAMESPACE))
                done.append(act())
            except Exception as error:  # noqa: BLE001 - raised where it was asked for
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return done[0]


def move_in(namespace: str) -> None:
    """This process, as `ip netns exec` does it: with the network, the name servers and the hosts of that namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}", "rb") as file:
        _checked(libc.setns(file.fileno(), _NEW_NAMESPACE))
    instead_of({f"/etc/{name}": f"/etc/netns/{namespace}/{name}" for name in ("resolv.conf", "hosts")})


def instead_of(files: Mapping[str, str]) -> None:
    """This process, and those it starts, see other files at those paths from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.unshare(_NEW_MOUNTS))
    _checked(libc.mount(b"none", b"/", None, _OF_OURS_ALONE, None))
    for path, ours in files.items():
        _checked(libc.mount(ours.encode(), path.encode(), None, _BIND, None))


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Way(ServerInThread):
    """Whoever connects to `listener` is led to what `dial` connects to; `carried` are the bytes of both directions."""

    def __init__(self, listener: socket.socket, dial: Callable[[], socket.socket]) -> None:
        super().__init__()
        self._listener = listener
        self._dial = dial
        self._carrying: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self.carried = 0
        self.open = 0

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._carry, sock=self._listener)

    async def _stop(self) -> None:
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        self.open += 1
        ends = {writer}
        self._ends.add(writer)
        try:
            there = await asyncio.to_thread(self._dial)
            to_reader, to_writer = await asyncio.open_connection(sock=there)
            ends.add(to_writer)
            self._ends.add(to_writer)
            await asyncio.gather(self._pump(reader, to_writer), self._pump(to_reader, writer))
        except OSError:
            pass  # refused, as there
        finally:
            self.open -= 1
            self._carrying.discard(task)
            self._ends -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_CHUNK):
            self.carried += len(piece)
            writer.write(piece)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()


class _Names(ServerInThread):
    """Knows AAAA of its zone and aliases; of other types nothing, and of other names that there are none."""

    def __init__(self, listener: socket.socket, zone: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        super().__init__()
        self._listener = listener
        self._zone = zone
        self._aliases = aliases

    async def _start(self) -> None:
        zone, aliases = self._zone, self._aliases

        class Answering(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, address: object) -> None:
                self.transport.sendto(_answer(data, zone, aliases), address)

        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(Answering, sock=self._listener)

    async def _stop(self) -> None:
        self._transport.close()


def _answer(query: bytes, zone: Mapping[str, str], aliases: Mapping[str, str]) -> bytes:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    question = query[12 : at + 5]
    kind = int.from_bytes(query[at + 1 : at + 3])
    asked = ".".join(labels).lower()
    name = aliases.get(asked, asked)
    address = zone.get(name)
    answers = []
    if name != asked:
        answers.append(_record(asked, _CNAME, _encoded(name)))
    if address is not None and kind == _AAAA:
        answers.append(_record(name, _AAAA, socket.inet_pton(socket.AF_INET6, address)))
    flags = 0x8580 if address is not None else 0x8583
    counts = (1).to_bytes(2) + len(answers).to_bytes(2) + bytes(4)
    return query[:2] + flags.to_bytes(2) + counts + question + b"".join(answers)


def _record(name: str, kind: int, value: bytes) -> bytes:
    return _encoded(name) + kind.to_bytes(2) + _IN + bytes(4) + len(value).to_bytes(2) + value


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _forget_killed() -> None:
    """What runs that were killed have left."""
    for path in Path("/run/netns").glob("ogel-*-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            subprocess.run(["ip", "netns", "del", path.name], check=False)
            shutil.rmtree(Path("/etc/netns") / path.name, ignore_errors=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
