"""Rate policies: how many requests in how many seconds, for each caller."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from msgspec import Struct

# What a request costs Ogel, roughly. Each route and stream declares its class, by which its rate is limited.
# none     never limited: health, metrics, what a load balancer asks.
# read     answers from rows; changes nothing.
# write    one transaction.
# publish  events, messages and mails: what clients send in numbers.
# stream   the beginning of a stream; what it carries is not counted.
# sign_in  tries a secret that people chose, or costs a slow hash: few are enough, and many are an attack.
RateClass = Literal["none", "read", "write", "publish", "stream", "sign_in"]

_QUOTA = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,5})?(s|m|h|d)", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_SECONDS = 86_400
MOST_QUOTAS = 4
# A process reserves at most this part of a quota ahead of use (1 / _SHARES).
_SHARES = 100


class Quota(Struct, frozen=True):
    """`requests` at once; used ones come back one by one, all of them within `seconds`."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        """Formats as settings do: `1000/10s`."""
        for unit in ("d", "h", "m"):
            if self.seconds % _UNITS[unit] == 0:
                return f"{self.requests}/{self.seconds // _UNITS[unit]}{unit}"
        return f"{self.requests}/{self.seconds}s"


class Policy(NamedTuple):
    """A quota and the name that clients know it by."""

    name: str
    quota: Quota

    @property
    def window_seconds(self) -> int:
        return self.quota.seconds

    @property
    def interval_seconds(self) -> float:
        """Returns the seconds after which one more request is allowed."""
        return self.quota.seconds / self.quota.requests

    @property
    def share(self) -> int:
        """
        Returns how much a process reserves from the common budget at a time: a hundredth, so that a hundred processes
        that reserve it unused cost a caller one quota once; for a small quota one request, so that nobody gets more
        than it says.
        """
        return max(1, self.quota.requests // _SHARES)


def quotas_of(text: str) -> tuple[Quota, ...]:
    """Parses `1000/10s, 50000/1h`; `off` is no limit. Raises ValueError."""
    if text.strip().lower() == "off":
        return ()
    quotas = tuple(_quota(each.strip()) for each in text.split(","))
    if len(quotas) > MOST_QUOTAS or len({each.seconds for each in quotas}) < len(quotas):
        raise ValueError("so many quotas, or two of one window")
    return quotas


def _quota(text: str) -> Quota:
    found = _QUOTA.fullmatch(text)
    if found is None:
        raise ValueError("not a quota")
    requests, count, unit = found.groups()
    seconds = int(count or 1) * _UNITS[unit]
    if seconds > LONGEST_SECONDS:
        raise ValueError("a quota of too long a window")
    return Quota(int(requests), seconds)


def policies_of(name: str, quotas: tuple[Quota, ...]) -> tuple[Policy, ...]:
    """
    Names policies: a single quota has its class's name, `read`; of several, each has its window added, `read-10s`.
    """
    if len(quotas) == 1:
        return (Policy(name, quotas[0]),)
    return tuple(Policy(f"{name}-{str(each).partition('/')[2]}", each) for each in quotas)
