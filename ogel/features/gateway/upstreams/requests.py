"""Requests on their way through: the body up and the answer down as they come, and never held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from starlette.types import Receive, Scope, Send

from ogel.features.gateway.upstreams.asking import IDEMPOTENT, BadGateway, target_of
from ogel.features.gateway.upstreams.headers import BadAnswer, Field, from_upstream, to_upstream
from ogel.features.gateway.upstreams.proxy import Proxy
from ogel.runtime.egress import EgressError
from ogel.runtime.http.admission import Ending
from ogel.runtime.http.exchange import GONE_SECONDS, Disconnected, Exchange, exchange_of
from ogel.runtime.http.streamed import BodyStream
from ogel.runtime.outgoing import StreamedAnswer

log = structlog.get_logger(__name__)

# See HttpOptions.body_timeout_seconds; clients may take longer for more.
GRACE_SECONDS = 15.0
# What takes no longer than this ends before anybody could notice that its caller's key has ended.
LASTING_SECONDS = 1.0
_UNLIMITED = 1 << 62
OnEnd = Callable[[Ending], None]


class _Body:
    """The request's body, and what was wrong with it: aiohttp tells only that it could not send it."""

    def __init__(self, stream: BodyStream) -> None:
        self._stream = stream
        self.failure: BaseException | None = None
        self.begun = False
        self.ended = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            async for piece in self._stream:
                yield piece
        except Exception as error:
            self.failure = error
            raise
        self.ended.set()


class RequestProxy(Proxy):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        has_body = b"transfer-encoding" in exchange.headers or exchange.headers.get(
            b"content-length", b"0"
        ) not in (b"0", b"")
        most = self._upstream.max_body or _UNLIMITED
        body = _Body(BodyStream(scope, receive, most, GRACE_SECONDS)) if has_body else None
        async with (
            _while_welcome(receive, None if body is None else body.ended, self._watching(exchange)),
            self._asked(scope, body) as answer,
        ):
            fields = self._fields(answer, exchange)
            exchange.passed_on = True
            await send({"type": "http.response.start", "status": answer.status, "headers": fields})
            try:
                async for piece in answer.chunks():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except EgressError as error:
                # Some of it has been sent: the connection breaks, as the upstream's did.
                log.warning("upstream.broke_off", upstream=self._upstream.path, reason=error.reason)
                raise Disconnected from error
            await send({"type": "http.response.body", "body": b""})

    def _watching(self, exchange: Exchange) -> Callable[[OnEnd], Callable[[], None]] | None:
        if self._upstream.auth == "open":
            return None
        return lambda on_end: self._watched(exchange, on_end)

    def _fields(self, answer: StreamedAnswer, exchange: Exchange) -> list[Field]:
        try:
            return from_upstream(answer.status, answer.raw_headers, exchange, self._upstream)
        except BadAnswer as error:
            log.warning("upstream.bad_answer", upstream=self._upstream.path, error=str(error))
            raise BadGateway(f"The service behind {self._upstream.path} gave no valid answer.") from error

    @asynccontextmanager
    async def _asked(self, scope: Scope, body: _Body | None) -> AsyncIterator[StreamedAnswer]:
        upstream, method = self._upstream, scope["method"]
        url = target_of(upstream, scope["raw_path"], scope["query_string"])
        headers = to_upstream(scope, exchange_of(scope), upstream, self._our_keys)

        def repeatable(error: EgressError) -> bool:
            """What took too long would do so again."""
            return body is None and method in IDEMPOTENT and error.reason != "timeout"

        async with self._asking.opened(
            lambda: self._client.stream(
                method,
                url,
                headers=headers,
                body=b"" if body is None else body,
                timeout_seconds=upstream.timeout,
                idle_seconds=upstream.idle,
            ),
            repeatable,
            lambda: None if body is None else body.failure,
        ) as answer:
            yield answer


@asynccontextmanager
async def _while_welcome(
    receive: Receive, body_ended: asyncio.Event | None, watch: Callable[[OnEnd], Callable[[], None]] | None
) -> AsyncIterator[None]:
    """
    Cancels the block when the client leaves, which nobody would notice while the upstream says nothing, or when what
    lasts outlives the client's key, which `watch` tells. Raises Disconnected.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)
    watches: list[Callable[[], None]] = []

    async def until_gone() -> None:
        # Until then, whoever reads the body notices.
        if body_ended is not None:
            await body_ended.wait()
        while (await receive())["type"] != "http.disconnect":
            pass
        # It may have closed its sending side alone, and still read: the server waits as long for such a client.
        limit.reschedule(loop.time() + GONE_SECONDS)

    def look_at_the_key() -> None:
        if watch is not None:
            watches.append(watch(lambda _: limit.reschedule(loop.time())))

    lasting = loop.call_later(LASTING_SECONDS, look_at_the_key)
    try:
        async with limit:
            watching = asyncio.create_task(until_gone(), name="gateway.client")
            try:
                yield
            finally:
                watching.cancel()
                lasting.cancel()
                for forget in watches:
                    forget()
    except TimeoutError as error:
        if limit.expired():
            raise Disconnected from error
        raise
