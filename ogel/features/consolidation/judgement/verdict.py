"""A judgement, and the sentences that judgements share."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.seen import Referrer, Seen

Answer = Literal["keep", "replace", "remove", "unknown"]
Risk = Literal["none", "low", "medium", "high"]
# How steps begin that are commands, and what stands before the note behind one: a comment of the shell.
COMMANDS = ("railway ", "ogel ", "rclone ", "mongodump ", "mongorestore ")
NOTE = "   # "
_NAMED_AT_MOST = 4


class Judgement(Struct, frozen=True):
    """
    answer  `unknown`: too little was seen for any of the others, and `look` says where to look.
    reason  one or two sentences; `hazard` says what could go wrong, `risk` how bad that is.
    steps   commands and what to do besides, in order; `back` undoes them.
    """

    answer: Answer
    reason: str
    risk: Risk = "none"
    hazard: str = ""
    steps: Sequence[str] = ()
    back: Sequence[str] = ()
    look: Sequence[str] = ()


def keep(reason: str, *, look: Sequence[str] = ()) -> Judgement:
    return Judgement("keep", reason, look=look)


def unknown(seen: Seen, reason: str, look: Sequence[str]) -> Judgement:
    """What was not seen is said beside, so that one knows which look is missing."""
    return Judgement("unknown", reason, look=[*look, *seen.unseen])


def remove(
    seen: Seen,
    reason: str,
    hazard: str,
    risk: Risk = "low",
    *,
    first: Sequence[str] = (),
    back: Sequence[str] = (),
) -> Judgement:
    """`first` is done before it is stopped, `back` after it is there again."""
    return Judgement(
        "remove", reason, risk, hazard, steps=removal(seen, also=first), back=return_of(seen, also=back)
    )


def remove_silent(seen: Seen, reason: str, hazard: str, risk: Risk = "low") -> Judgement:
    """Whoever goes because nobody asks; at more risk where requests over the private network would not be seen."""
    if not seen.is_silent_inside:
        hazard += " Requests over the private network would not be seen: its own log has no line of any."
        risk = "medium"
    return remove(seen, reason, hazard, risk)


def name_of(seen: Seen) -> str:
    """As a shell takes it."""
    return shlex.quote(quoted(seen.name, 100))


def people(referrers: Iterable[Referrer]) -> str:
    """`Studio (SUPABASE_URL), web (AUTH_URL)`."""
    named = [f"{quoted(each.reference.by, 60)} ({quoted(each.reference.variable, 60)})" for each in referrers]
    shown = ", ".join(named[:_NAMED_AT_MOST])
    return f"{shown} and {len(named) - _NAMED_AT_MOST} more" if len(named) > _NAMED_AT_MOST else shown


def refer(referrers: Sequence[Referrer]) -> str:
    """`Studio (SUPABASE_URL) refers to it`."""
    return f"{people(referrers)} {'refers' if len(referrers) == 1 else 'refer'} to it"


def listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def many(count: int, what: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def removal(seen: Seen, *, also: Sequence[str] = ()) -> Sequence[str]:
    """`railway down` takes the deployment away and leaves the service, its variables and its volume."""
    return [
        *also,
        f"railway down --service {name_of(seen)} --yes   # stops it; service, variables and volume stay",
        "Wait for a week, with an eye on the logs of the others; then delete the service in the dashboard.",
    ]


def return_of(seen: Seen, *, also: Sequence[str] = ()) -> Sequence[str]:
    return [
        f"railway redeploy --service {name_of(seen)} --from-source --yes   # as long as it is not deleted",
        *also,
    ]


def unseen_use(seen: Seen) -> str | None:
    """Why it can't be said that nobody uses a service; None where nobody does, as far as can be seen."""
    if seen.referrers is None:
        return "who refers to it could not be read"
    if seen.used:
        return "it gets requests"
    return None if seen.is_silent else "no log shows whether it gets requests"
