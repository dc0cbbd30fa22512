"""`ogel whoami`"""

from __future__ import annotations

import click

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.tables import show_fields


@click.command("whoami")
@json_option
def command(as_json: bool) -> None:
    """Which suite commands speak to, as whom, and what they may do there."""
    import msgspec

    from ogel.cli import profiles
    from ogel.runtime.http.me import Me

    with api() as ogel:
        answer = ogel.request("GET", "/api/me")
        where = ogel.where
    kept = profiles.load()
    if as_json:
        say_json({**answer.as_(dict[str, msgspec.Raw]), "where": where, "profiles": sorted(kept.profiles)})
        return
    me = answer.as_(Me)
    here = {name: remote for name, remote in kept.profiles.items() if remote.url == where}
    others = [f"{name} ({each.url})" for name, each in sorted(kept.profiles.items()) if name not in here]
    show_fields(
        [
            ("who", f"{me.id} ({me.kind})" if me.id != me.kind else me.id),
            ("may", " ".join(me.scopes) or "nothing"),
            ("where", where),
            ("version", me.version),
            ("profile", ", ".join(sorted(here)) or None),
            ("others", ", ".join(others) or None),
        ]
    )
