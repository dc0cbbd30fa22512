"""PostgreSQL and Valkey as children of this process, for when nobody else runs them."""

from ogel.adapters.embedded.front import Front, announce, announced, retract
from ogel.adapters.embedded.revival import Revival
from ogel.adapters.embedded.server import CalledOff
from ogel.adapters.embedded.servers import EmbeddedServers, kept_secret, running_urls, stop_stale

__all__ = [
    "CalledOff",
    "EmbeddedServers",
    "Front",
    "Revival",
    "announce",
    "announced",
    "kept_secret",
    "retract",
    "running_urls",
    "stop_stale",
]
