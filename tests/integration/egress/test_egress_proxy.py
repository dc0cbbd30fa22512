"""Through a proxy: the guard stays, the proxy sees addresses only, and its faults are ours."""

import asyncio
import base64
import socket
import ssl
import time
from pathlib import Path

import pytest

from ogel.adapters.egress import AddressGuard, EgressClient, EgressError, Proxy, ProxyAddress
from ogel.adapters.egress import proxy as proxying
from tests.support.egress_corpus import Canary, forbidden_answers, forbidden_urls
from tests.support.egress_proxy import NEVER, TunnelProxy
from tests.support.egress_receiver import Names, Receiver, Run, a_client, failure, say_ok, send
from tests.support.egress_tls import NAME, tls_receiver, trusting

HOOK = "http://hooks.example:8080/"
NET = "127.0.0.0/8"


async def fault_of(proxy: TunnelProxy, **changes: object) -> EgressError:
    async with proxy.listening(), a_client(resolver=Names(("127.0.0.9",)), proxy=proxy.address()) as client:
        error = await failure(client, HOOK, **changes)
        assert (client._slots.taken, len(client._open)) == (0, 0)
    return error


def test_http_goes_through_a_tunnel_to_the_vetted_address(run: Run) -> None:
    async def story() -> None:
        names = Names(("127.0.0.1",))
        async with (
            Receiver(say_ok).listening() as receiver,
            TunnelProxy().listening() as proxy,
            a_client(NET, resolver=names, proxy=proxy.address("us%40er:s%3Acret@")) as client,
        ):
            first = await send(client, f"http://hooks.example:{receiver.port}/a")
            second = await send(client, f"http://hooks.example:{receiver.port}/b")
        assert (first.status, first.peer, second.status) == (200, "127.0.0.1", 200)
        assert first.timings.connect is not None
        assert second.timings.connect is None
        place = f"127.0.0.1:{receiver.port}"
        credentials = base64.b64encode(b"us@er:s:cret").decode()
        assert proxy.heads == [
            f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
            f"Proxy-Authorization: Basic {credentials}\r\n\r\n".encode()
        ]
        assert [visit.head.split(b"\r\n")[:2] for visit in receiver.visits] == [
            [b"POST /%b HTTP/1.1" % path, f"Host: hooks.example:{receiver.port}".encode()]
            for path in (b"a", b"b")
        ]
        assert not any(b"proxy" in visit.head.lower() for visit in receiver.visits)

    run(story())


def test_tls_is_spoken_with_the_target_inside_the_tunnel(run: Run, certificate: tuple[Path, Path]) -> None:
    async def story(context: ssl.SSLContext | None) -> list[str]:
        asked: list[str] = []
        names = Names(("127.0.0.1",))
        async with (
            tls_receiver(certificate, asked) as port,
            TunnelProxy().listening() as proxy,
            a_client(resolver=names, proxy=proxy.address(), ssl_context=context) as client,
        ):
            if context is None:
                error = await failure(client, f"https://{NAME}:{port}/")
                assert (error.reason, error.ours) == ("tls", False)
            else:
                assert (await send(client, f"https://{NAME}:{port}/")).body == b"ok"
        assert proxy.targets == [f"127.0.0.1:{port}"]
        return asked

    async def both() -> None:
        assert await story(trusting(certificate)) == [NAME]
        await story(None)

    run(both())


def test_the_guard_stays_and_the_proxy_hears_of_nothing_forbidden(run: Run) -> None:
    async def story() -> None:
        with Canary() as canary:
            async with TunnelProxy().listening() as proxy:
                client = EgressClient(AddressGuard(), proxy=proxy.address())
                for name, url in forbidden_urls(canary.port):
                    assert (await failure(client, url)).reason == "refused_address", name
                for name, answers in forbidden_answers():
                    client._resolver = Names(answers)
                    error = await failure(client, f"http://hooks.example:{canary.port}/")
                    assert error.reason == "refused_address", name
                assert proxy.heads == []
                await client.close()
            assert not canary.heard()

    run(story())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\n\r\n",
        b"HTTP/1.1 502 Bad\r\nProxy-Status: p; error=proxy_internal_error\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000,
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x00" * 100_000,
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ],
)
def test_a_fault_of_the_proxy_is_ours(run: Run, answer: bytes) -> None:
    async def story() -> None:
        error = await fault_of(TunnelProxy(answer))
        assert (error.reason, error.ours, error.peer) == ("proxy", True, None)
        assert "127.0.0" not in error.message
        assert error.timings.connect is not None

    run(story())


def test_what_a_proxy_says_is_capped(run: Run) -> None:
    async def story() -> None:
        error = await fault_of(TunnelProxy(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000))
        assert error.message == "the outgoing proxy answered too much"

    run(story())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        b"HTTP/1.1 504 Gateway Timeout\r\n\r\n",
        b"HTTP/1.1 503 Unavailable\r\nProxy-Status: p; error=connection_refused\r\n\r\n",
        b"HTTP/1.1 503 Unavailable\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n",
    ],
)
def test_a_target_that_the_proxy_cannot_reach_is_not_ours(run: Run, answer: bytes) -> None:
    async def story() -> None:
        error = await fault_of(TunnelProxy(answer))
        assert (error.reason, error.ours) == ("connect", False)

    run(story())


def test_an_unclear_failure_is_the_target_s_while_others_get_through(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, TunnelProxy().listening() as proxy:
            refused = f"127.0.0.9:{receiver.port}"
            proxy.answers[refused] = b"HTTP/1.1 503 Unavailable\r\n\r\n"
            async with a_client(proxy=proxy.address()) as client:
                url = f"http://{refused}/"
                assert (await failure(client, url)).ours
                assert (await send(client, receiver.url)).status == 200
                error = await failure(client, url)
                assert (error.reason, error.ours) == ("connect", False)

    run(story())


def test_the_next_address_is_tried_when_the_proxy_cannot_reach_one(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, TunnelProxy().listening() as proxy:
            proxy.answers[f"[::1]:{receiver.port}"] = b"HTTP/1.1 502 No\r\n\r\n"
            names = Names(("::1", "127.0.0.1"))
            async with a_client(NET, "::1/128", resolver=names, proxy=proxy.address()) as client:
                exchange = await send(client, f"http://hooks.example:{receiver.port}/")
        assert (exchange.status, exchange.peer) == (200, "127.0.0.1")
        assert proxy.targets == [f"[::1]:{receiver.port}", f"127.0.0.1:{receiver.port}"]

    run(story())


def test_a_proxy_that_is_not_there_is_ours_and_its_password_is_nowhere(run: Run) -> None:
    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            proxy = Proxy(ProxyAddress.of(f"http://someone:hunter2@127.0.0.1:{taken.getsockname()[1]}"))
            async with a_client(proxy=proxy) as client:
                error = await failure(client, "http://127.0.0.1:8080/")
        assert (error.reason, error.ours) == ("proxy", True)
        assert error.message == "the outgoing proxy cannot be reached"
        secret = base64.b64encode(b"someone:hunter2").decode()
        chain: BaseException | None = error
        while chain is not None:
            shown = f"{chain!r} {chain.__dict__}"
            assert not any(word in shown for word in ("hunter2", "someone", secret))
            chain = chain.__cause__
        assert not any(word in repr(proxy._address) for word in ("hunter2", "someone", secret))

    run(story())


def test_a_proxy_s_name_that_does_not_resolve_is_ours(run: Run) -> None:
    class Unknown(Names):
        async def resolve(self, host: str) -> tuple[str, ...]:
            raise EgressError("dns", "the name does not exist")

    async def story() -> None:
        proxy = Proxy(ProxyAddress.of("http://proxy.example:3128"), Unknown())
        async with a_client(proxy=proxy) as client:
            error = await failure(client, "http://127.0.0.1:8080/")
        assert (error.reason, error.ours) == ("proxy", True)

    run(story())


def test_a_proxy_that_does_not_accept_is_ours_before_the_deadline(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(address: str, port: int) -> socket.socket:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(proxying, "connect", never)

    async def story() -> None:
        proxy = Proxy(ProxyAddress.of("http://127.0.0.1:3128"))
        async with a_client(proxy=proxy) as client:
            started = time.monotonic()
            error = await failure(client, "http://127.0.0.1:8080/", timeout_seconds=0.4)
        assert (error.reason, error.ours) == ("proxy", True)
        assert time.monotonic() - started < 1.4

    run(story())


@pytest.mark.parametrize(
    ("options", "ours"), [(b"HTTP/1.1 400 No\r\n\r\n", False), (b"", False), (NEVER, True)]
)
def test_silence_is_the_target_s_if_the_proxy_says_anything_else(
    run: Run, options: bytes, ours: bool
) -> None:
    async def story() -> None:
        started = time.monotonic()
        error = await fault_of(TunnelProxy(NEVER, options), timeout_seconds=0.3)
        assert 0.3 <= time.monotonic() - started < 1.3
        assert (error.reason, error.ours) == ("timeout", ours)

    run(story())
