"""The egress client against real sockets: what a receiver sees, and what comes back."""

import socket

import pytest

from tests.support.egress_receiver import Names, Receiver, Run, Visit, a_client, failure, say_ok, send


def test_a_receiver_gets_the_request_and_we_its_answer(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        visit.write(b"HTTP/1.1 202 Accepted\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nhello")

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            headers = [("User-Agent", "Ogel-Webhook/1.0"), ("webhook-id", "msg_1"), ("Host", "evil")]
            exchange = await send(client, receiver.url + "?a=1", headers=headers, body=b'{"a": 1}')
        assert (exchange.status, exchange.body, exchange.truncated) == (202, b"hello", False)
        assert exchange.header("retry-after") == "7"
        assert exchange.peer == "127.0.0.1"
        timings = exchange.timings
        assert (timings.dns, timings.tls) == (None, None)
        assert timings.connect is not None
        assert timings.first_byte is not None
        assert 0 < timings.connect + timings.first_byte <= timings.total < 5
        visit = receiver.visits[0]
        assert visit.head.splitlines()[:4] == [
            b"POST /hook?a=1 HTTP/1.1",
            f"Host: 127.0.0.1:{receiver.port}".encode(),
            b"Accept: */*",
            b"Accept-Encoding: identity",
        ]
        assert visit.head.lower().count(b"\r\nhost:") == 1
        assert b"\r\nwebhook-id: msg_1\r\n" in visit.head
        assert visit.body == b'{"a": 1}'

    run(story())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_every_name_of_an_opened_address_works(run: Run, host: str) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client() as client:
            exchange = await send(client, f"http://{host}:{receiver.port}/")
        assert (exchange.status, exchange.peer) == (200, "127.0.0.1")

    run(story())


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("STRASSE.example", "strasse.example"),
        ("ΒΌΛΟΣ。com", "xn--nxasmq6b.com"),
        ("xn--ls8h.la.", "xn--ls8h.la"),
    ],
)
def test_a_name_is_asked_for_and_called_as_idna_2008_has_it(run: Run, host: str, name: str) -> None:
    async def story() -> None:
        names = Names(("127.0.0.1",))
        async with Receiver(say_ok).listening() as receiver, a_client(resolver=names) as client:
            await send(client, f"http://{host}:{receiver.port}/")
        assert names.asked == [name]
        assert f"\r\nHost: {name}:{receiver.port}\r\n".encode() in receiver.visits[0].head

    run(story())


def test_headers_that_many_requests_share_are_encoded_once(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client() as client:
            shared = client.encode([("User-Agent", "Ogel-Webhook/1.0"), ("Host", "evil"), ("X-Name", "Zoë")])
            for number in ("1", "2"):
                await send(client, receiver.url, encoded=shared, headers=[("webhook-id", number)])
        for number, visit in enumerate(receiver.visits, 1):
            assert visit.head.split(b"\r\n")[4:] == [
                b"Content-Length: 2",
                b"User-Agent: Ogel-Webhook/1.0",
                "X-Name: Zoë".encode(),
                b"webhook-id: %d" % number,
                b"",
                b"",
            ]

    run(story())


@pytest.mark.parametrize("size", [0, 1024, 5_000_000])
def test_bodies_of_any_size_arrive_whole(run: Run, size: int) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client() as client:
            assert (await send(client, receiver.url, body=b"x" * size)).status == 200
        assert len(receiver.visits[0].body) == size

    run(story())


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil closed", b"until closed"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_every_framing_is_understood(run: Run, message: bytes, body: bytes) -> None:
    async def answer(visit: Visit) -> None:
        visit.write(message)
        visit.close()

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            assert (await send(client, receiver.url)).body == body

    run(story())


def test_a_redirect_is_an_answer_and_is_not_followed(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as canary:

            async def answer(visit: Visit) -> None:
                visit.write(
                    f"HTTP/1.1 302 Found\r\nLocation: {canary.url}\r\nContent-Length: 0\r\n\r\n".encode()
                )

            async with Receiver(answer).listening() as receiver, a_client() as client:
                exchange = await send(client, receiver.url)
            assert (exchange.status, exchange.header("Location")) == (302, canary.url)
            assert canary.connections == 0

    run(story())


def test_the_next_address_is_tried_when_one_does_not_accept(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver:
            names = Names(("::1", "127.0.0.2", "127.0.0.1"))
            async with a_client("127.0.0.0/8", "::1/128", resolver=names) as client:
                exchange = await send(client, f"http://hooks.example:{receiver.port}/")
        assert (exchange.status, exchange.peer) == (200, "127.0.0.1")
        assert f"Host: hooks.example:{receiver.port}".encode() in receiver.visits[0].head

    run(story())


def test_nobody_listening_is_said_without_an_address(run: Run) -> None:
    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            async with a_client(resolver=Names(("127.0.0.1",))) as client:
                error = await failure(client, f"http://hooks.example:{taken.getsockname()[1]}/")
        assert (error.reason, error.message, error.peer) == ("connect", "the connection was refused", None)
        assert error.timings.dns is not None
        assert error.timings.connect is not None

    run(story())
