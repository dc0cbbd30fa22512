"""The C library's name look-up, on threads that do not delay the end of the process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

from ogel.adapters.egress.hosts_file import addresses_in_hosts

Answer = tuple[str, ...]


class HostsAnswer(Answer):
    """An answer that did not come from a name server."""


def system_look_up(host: str) -> Answer:
    """Looks a name up. Blocks. Addresses are in the system's order of preference (RFC 6724), each once."""
    # Single labels (compose services, localhost) live in search domains and hosts files only.
    if "." not in host:
        return search_look_up(host)
    # The dot makes the name absolute: no search domain turns `evil.test` into `evil.test.svc.cluster.local`. But in
    # the hosts file, which comes first, no name ends with one (docker's `extra_hosts: host.docker.internal`).
    return HostsAnswer(addresses_in_hosts(host)) or search_look_up(f"{host}.")


def search_look_up(host: str) -> Answer:
    """As `system_look_up`, for names that operators wrote, which may lie in a search domain."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        # Without file descriptors, the C library asks no server and may report that the name does not exist.
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()  # raises OSError if so
        raise
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


async def in_daemon_thread(work: Callable[[], Answer]) -> Answer:
    """Raises what `work` raised, or RuntimeError when the system gives us no thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)

    def run() -> None:
        answer: Answer = ()
        failure: Exception | None = None
        try:
            answer = work()
        except Exception as error:  # noqa: BLE001 - it is carried to the waiting coroutine, not handled here
            failure = error
        try:
            loop.call_soon_threadsafe(settle, answer, failure)
        except RuntimeError:
            return  # The loop was closed meanwhile, so nobody is waiting.

    threading.Thread(target=run, name="egress-resolver", daemon=True).start()
    return await future
