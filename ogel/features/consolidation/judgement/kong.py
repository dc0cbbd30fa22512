"""Kong: a gateway that only routes is settings here; what its plugins do beyond that decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.judgement.verdict import (
    Judgement,
    keep,
    listed,
    many,
    name_of,
    people,
    removal,
    remove,
    remove_silent,
    return_of,
    unknown,
    unseen_use,
)
from ogel.features.consolidation.seen import Seen
from ogel.features.consolidation.use.tables import rows, table
from ogel.features.consolidation.wire.facts import KongFacts

_ADDRESS = "A client with its address in the code, which has not asked in these days, would find nobody."


def judge(seen: Seen, translated: Collection[str]) -> Judgement:
    """`translated`: the plugins that `ogel gateway import` has settings for."""
    facts = seen.kong or _stored(seen)
    if facts is not None and facts.routes == 0 and seen.referrers is not None and not seen.referrers:
        return remove(seen, "It has no routes, and no service refers to it.", _ADDRESS)
    if not seen.referrers and unseen_use(seen) is None:
        return remove_silent(
            seen, "No service refers to it, and no request came through it in these days.", _ADDRESS
        )
    if facts is None or facts.plugins is None:
        return unknown(
            seen,
            "What it does besides routing was not seen: its Admin API did not answer from here, and no variable holds "
            "its configuration.",
            look=_look(seen),
        )
    foreign = sorted(set(facts.plugins) - set(translated))
    if foreign:
        return keep(
            f"It does more than Ogel's gateway: {listed(foreign)} (as {facts.source} says). Routing alone could go.",
            look=_look(seen),
        )
    return _replace(seen, facts)


def _stored(seen: Seen) -> KongFacts | None:
    """What its own tables say, where they were looked into."""
    if (plugins := table(seen.databases, "public", "plugins")) is None or plugins.rows is None:
        return None
    return KongFacts(
        services=rows(seen.databases, "public", "services"),
        routes=rows(seen.databases, "public", "routes"),
        plugins=[quoted(each, 60) for each in plugins.labels] if plugins.labels or not plugins.rows else None,
        source="its tables",
    )


def _replace(seen: Seen, facts: KongFacts) -> Judgement:
    does = (
        "routes"
        if facts.routes is None
        else f"{many(facts.routes, 'route')} to {many(facts.services or 0, 'service')}"
    )
    if facts.plugins:
        reason = f"It does {does} and {listed(facts.plugins)}, all of which are settings of Ogel's gateway."
        hazard = (
            "Keys are made anew, and its answers to refused requests look different: try one client first."
        )
    else:
        reason = f"It does {does} and nothing else: a setting of Ogel's gateway does that."
        hazard = "Clients notice nothing but the address, unless routes match by host, method or expression."
    return Judgement(
        "replace",
        reason,
        "medium" if facts.plugins else "low",
        hazard,
        steps=[
            *_export(seen),
            "ogel gateway import kong.yml   # prints settings, and what it leaves behind with the reason",
            *(
                ["ogel keys create web --publishable   # and one with scopes for each program that has a key"]
                if facts.plugins
                else []
            ),
            "railway variable set 'OGEL_UPSTREAMS=…' --service ogel   # what was printed; then: ogel doctor",
            *([f"Point one client at Ogel, then {people(seen.referrers)}."] if seen.referrers else []),
            *removal(seen),
        ],
        back=return_of(
            seen, also=["Point the clients and variables back at its address: it has kept its own."]
        ),
    )


def _export(seen: Seen) -> Sequence[str]:
    if seen.kong is not None and seen.kong.source.startswith("KONG_"):
        return [f"Save the value of {seen.kong.source}, a variable of {name_of(seen)}, as kong.yml."]
    return [
        f"railway ssh --service {name_of(seen)} -- cat /home/kong/kong.yml > kong.yml   # where Supabase's image has it"
    ]


def _look(seen: Seen) -> Sequence[str]:
    return [
        f"railway ssh --service {name_of(seen)} -- cat /home/kong/kong.yml   # where Supabase's image has it",
        f"railway ssh --service {name_of(seen)} -- kong config db_export /tmp/kong.yml   # where it has a database",
        f"railway logs --service {name_of(seen)} --lines 200   # each request has a line",
    ]
