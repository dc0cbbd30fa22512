"""GoTrue: whoever signs in with other sites, or by standards that Ogel has not, keeps it; others have it here."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.consolidation.judgement.verdict import (
    Judgement,
    keep,
    listed,
    many,
    name_of,
    people,
    removal,
    remove_silent,
    return_of,
    unknown,
    unseen_use,
)
from ogel.features.consolidation.seen import Seen
from ogel.features.consolidation.use.tables import rows, table

# What `auth.identities` calls an address and a number, which are no other site.
_OWN = ("email", "phone")


def judge(seen: Seen) -> Judgement:
    users = rows(seen.databases, "auth", "users")
    others = seen.referred_by("studio", "kong", "envoy", "nginx")
    if (outside := _outside(seen)) is not None:
        return keep(
            f"People outside depend on it: {outside}. Their sites and programs know its addresses. "
            "Ogel has GitHub, Google and OpenID sign-in too (docs/oauth.md), when you want to move them.",
        )
    if not seen.referrers and unseen_use(seen) is None and not users:
        nobody = "No service refers to it, and nobody has signed in or up in these days"
        if users == 0:
            hazard = "Whoever keeps its address in an app would find nobody. Its tables stay in the database."
            return remove_silent(seen, f"{nobody}; it has no users.", hazard)
        hazard = "Whether it has users was not looked at (--look-inside). Its tables stay in the database either way."
        return remove_silent(seen, f"{nobody}.", hazard, "medium")
    if seen.auth is None:
        return unknown(
            seen,
            "Whether people sign in with other sites was not seen: its /settings did not answer from here.",
            look=_look(seen),
        )
    return _replace(seen, users, [] if not others else [people(others)])


def _outside(seen: Seen) -> str | None:
    """What has an agreement with somebody else: other sites, SAML, programs that sign people in with it."""
    external = list(seen.auth.external) if seen.auth else []
    identities = table(seen.databases, "auth", "identities")
    if external and identities is not None and identities.rows is not None:
        # A site that is switched on and that nobody has ever come from is no agreement that counts.
        external = [each for each in external if each in identities.labels]
    programs = rows(seen.databases, "auth", "oauth_clients")
    providers = rows(seen.databases, "auth", "saml_providers")
    said = []
    if external:
        said.append(f"sign-in with {listed(external)}")
    if programs:
        said.append(f"{many(programs, 'program')} of others, its OAuth clients")
    if providers or (seen.auth is not None and seen.auth.saml):
        said.append("SAML")
    return ", ".join(said) or None


def _replace(seen: Seen, users: int | None, others: Sequence[str]) -> Judgement:
    whom = "people" if users is None else many(users, "user") if users else "nobody so far"
    whose = (
        f"Besides Studio, {others[0]} use it" if others else "Nobody but Studio and the gateway refers to it"
    )
    return Judgement(
        "replace",
        f"It signs in {whom}, by address and number alone, as Ogel does at /auth/v1 in the same dialect. "
        f"{whose}.",
        "medium" if others or users else "low",
        "People sign in once more, because sessions stay behind; they keep ids, passwords and authenticator apps.",
        steps=[
            "railway variable set 'OGEL_AUTH_LEGACY_JWT_SECRET=…' --service ogel   # its GOTRUE_JWT_SECRET",
            'ogel accounts import supabase "$SUPABASE_DB_URL"   # reads the schema auth alone; may be repeated',
            "Set OGEL_SITE_URL and OGEL_REDIRECT_URLS to its GOTRUE_SITE_URL and GOTRUE_URI_ALLOW_LIST "
            "(docs/accounts.md).",
            *([f"Point {people(seen.referrers)} at Ogel's /auth/v1."] if seen.referrers else []),
            *removal(seen),
        ],
        back=return_of(
            seen,
            also=[
                "Point the clients back: it has kept its tables. Who signed up in between is in Ogel alone."
            ],
        ),
    )


def _look(seen: Seen) -> Sequence[str]:
    return [
        f"railway ssh --service {name_of(seen)} -- wget -qO- http://localhost:9999/settings",
        f"railway logs --service {name_of(seen)} --lines 200   # each request has a line",
    ]
