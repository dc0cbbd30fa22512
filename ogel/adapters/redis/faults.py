"""What can go wrong between asyncio's Redis client and its server, and how Ogel says it."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from ogel.kernel.errors import Unavailable

# RuntimeError is how uvloop reports that a connection was closed under the client, as when Redis dies between a
# connection and its first command.
REDIS_FAULTS = (RedisError, OSError, RuntimeError)

# Why Redis refused a command, in our words.
_BY_TYPE: tuple[tuple[type[RedisError], str], ...] = (
    (OutOfMemoryError, "Redis is out of memory: it is at its maxmemory and evicts nothing."),
    (ReadOnlyError, "Redis takes no writes: it is a replica."),
    (BusyLoadingError, "Redis is loading its data."),
    (AuthenticationError, "Redis does not take our password."),
)
# The first words of errors that the client has no type for, or not in every version.
_BY_WORDS = (
    ("OOM ", _BY_TYPE[0][1]),
    ("READONLY ", _BY_TYPE[1][1]),
    ("LOADING ", _BY_TYPE[2][1]),
    ("MISCONF ", "Redis takes no writes: it cannot save its data, its disk may be full."),
    ("NOREPLICAS ", "Redis takes no writes: it has too few replicas."),
    ("MASTERDOWN ", "Redis takes no writes: it is a replica whose master is away."),
    ("CLUSTERDOWN ", "Redis takes no writes: its cluster is down."),
    ("max number of clients", "Redis has no connection left for us."),
)


def fault_of(error: Exception) -> Unavailable:
    """Returns the exception to raise from `error`, which is one of REDIS_FAULTS."""
    text = str(error)
    for kind, said in _BY_TYPE:
        if isinstance(error, kind):
            return Unavailable(said)
    for words, said in _BY_WORDS:
        if words in text:
            return Unavailable(said)
    if isinstance(error, ResponseError):
        return Unavailable(f"Redis refuses writes: {text.split(' ', 1)[0][:32]}.")
    return Unavailable("Redis does not answer.")
