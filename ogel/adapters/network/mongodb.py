"""MongoDB: choosing a server, signing in, and `ping`."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from ogel.adapters.mongo import TidyClient
from ogel.adapters.network.conversation import Conversation, Unanswered, one_line
from ogel.adapters.network.names import pinned
from ogel.runtime.network.server import NamedServer
from ogel.runtime.secrets.scrub import Scrubber
from ogel.runtime.server_urls.mongo import FREE
from ogel.runtime.server_urls.parts import ServerUrl

_TIMEOUT_MS = 5000
_TLS = ("tls", "ssl")
# Of these one is enough, and a certificate proves nothing.
_ANYBODY = ("tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames")


async def begin(server: NamedServer, addresses: Sequence[str]) -> Conversation:
    """To the first of these addresses, if any. Raises Unanswered."""
    try:
        from pymongo import errors
    except ImportError:
        raise Unanswered("the extra is missing: pip install 'ogel[mongo]'") from None
    url = ServerUrl.parse(server.url, free=FREE)
    scrub = Scrubber([url.password, unquote(url.password)] if url.password else [])
    options = {name.lower(): value for name, value in url.options}
    tls = url.scheme == "mongodb+srv" or any(options.get(name) == "true" for name in _TLS)
    verifies = tls and not any(options.get(name) == "true" for name in _ANYBODY)
    address = pinned(url, server, addresses, verifies=verifies)
    try:
        client = TidyClient(timeout_ms=_TIMEOUT_MS, host=address, appname="ogel-network", maxPoolSize=1)
    except (errors.PyMongoError, ValueError) as error:
        raise Unanswered(scrub(one_line(error))) from None

    async def ping() -> None:
        try:
            await client.pymongo.admin.command("ping")
        except errors.PyMongoError as error:
            raise Unanswered(scrub(one_line(error))) from None

    try:
        await ping()
        version = str((await client.pymongo.admin.command("buildInfo")).get("version", "")) or None
    except (errors.PyMongoError, Unanswered) as error:
        await client.close()
        raise Unanswered(scrub(one_line(error))) from None
    return Conversation(ping, client.close, tls, version)
