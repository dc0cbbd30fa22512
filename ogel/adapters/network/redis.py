"""Redis and Valkey: signing in, and PING."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from ogel.adapters.network.conversation import Conversation, Unanswered, one_line
from ogel.adapters.network.names import pinned
from ogel.runtime.metrics.redis_stats import server_of
from ogel.runtime.network.server import NamedServer
from ogel.runtime.secrets.scrub import Scrubber
from ogel.runtime.server_urls.parts import ServerUrl

_SECONDS = 5.0
# The first words come of HELLO, which clients begin with by now.
_WANTS_PASSWORD = re.compile(
    r"HELLO must be called with the client already authenticated|NOAUTH|Authentication required"
)


async def begin(server: NamedServer, addresses: Sequence[str]) -> Conversation:
    """To the first of these addresses, if any. Raises Unanswered."""
    url = ServerUrl.parse(server.url)
    scrub = Scrubber([url.password, unquote(url.password)] if url.password else [])
    client = Redis.from_url(
        pinned(url, server, addresses, verifies=dict(url.options).get("ssl_check_hostname") == "true"),
        socket_connect_timeout=_SECONDS,
        socket_timeout=_SECONDS,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
    )

    async def ping() -> None:
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            raise Unanswered(scrub(one_line(error))) from None

    try:
        await client.initialize()
        await client.ping()
        version = await _version(client)
    except (RedisError, OSError) as error:
        await client.aclose()
        if url.password is None and _WANTS_PASSWORD.search(str(error)):
            raise Unanswered("it wants a password, and the URL has none") from None
        raise Unanswered(scrub(one_line(error))) from None
    return Conversation(ping, client.aclose, server.url.startswith("rediss:"), version)


async def _version(client: Redis) -> str | None:
    """None where this user may not ask."""
    try:
        return server_of(await client.info("server"))[1]
    except ResponseError:
        return None
