"""The common budgets of rate limits in Redis: one script decides over all policies of a request at once."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from ogel.adapters.redis.faults import REDIS_FAULTS, fault_of
from ogel.runtime.rates.policy import Policy
from ogel.runtime.rates.shared import Ask, BudgetAnswer

SOCKET_TIMEOUT_SECONDS = 1.0
PREFIX = "ogel:rate:"

# What runtime/rates/gcra.py says, in microseconds of Redis' clock, which all processes share. A value further off than
# any budget can be (Redis' clock was set back) counts as a budget used up. Each key lives until it says nothing more.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local granted = tonumber(ARGV[1])
local owed, set_back = {}, false
for i, key in ipairs(KEYS) do
  local interval, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local whole_at = tonumber(redis.call('GET', key) or now) or now
  set_back = set_back or whole_at - now > window
  owed[i] = math.min(math.max(whole_at - now, 0), window)
  granted = math.max(0, math.min(granted, math.floor((window - owed[i]) / interval + 0.000001)))
end
for i, key in ipairs(KEYS) do
  if granted > 0 or set_back then
    owed[i] = owed[i] + granted * ARGV[2 * i]
    local milliseconds = math.max(1, math.ceil(owed[i] / 1000))
    redis.call('SET', key, string.format('%.0f', now + owed[i]), 'PX', milliseconds)
  end
  owed[i] = string.format('%.0f', owed[i])
end
return {granted, unpack(owed)}
"""
_DIGEST = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_MICROSECONDS = 1_000_000


class RedisRates:
    """Implements rates.SharedBudgets. Connects on first use."""

    def __init__(self, redis_url: str) -> None:
        self._client = Redis.from_url(
            redis_url,
            protocol=2,
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),  # whoever asks has no time for a second try
        )

    async def take(self, asks: Sequence[Ask]) -> Sequence[BudgetAnswer]:
        """Raises Unavailable."""
        try:
            replies = await self._run(asks)
            if any(isinstance(reply, NoScriptError) for reply in replies):
                # Redis is new, or was told to forget its scripts. None of them has run.
                await self._client.script_load(SCRIPT)
                replies = await self._run(asks)
        except REDIS_FAULTS as error:
            raise fault_of(error) from error
        for reply in replies:
            if isinstance(reply, RedisError):
                raise fault_of(reply) from reply
        return [_answer(reply) for reply in replies]

    async def _run(self, asks: Sequence[Ask]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for ask in asks:
                keys = [PREFIX + key for key in ask.keys]
                pipeline.evalsha(_DIGEST, len(keys), *keys, ask.wanted, *_arguments(ask.policies))
            return await pipeline.execute(raise_on_error=False)

    async def close(self) -> None:
        await self._client.aclose()


def _arguments(policies: Sequence[Policy]) -> list[str]:
    numbers = ((policy.interval_seconds, policy.window_seconds) for policy in policies)
    return [f"{seconds * _MICROSECONDS:.6f}" for pair in numbers for seconds in pair]


def _answer(reply: Sequence[Any]) -> BudgetAnswer:
    granted, *owed = reply
    return BudgetAnswer(granted, [int(each) / _MICROSECONDS for each in owed])
