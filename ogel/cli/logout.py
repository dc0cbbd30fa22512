"""`ogel logout`"""

from __future__ import annotations

import click

from ogel.cli.operator import profile_option
from ogel.kernel.errors import NotFound
from ogel.kernel.text import no_such


@click.command("logout")
@profile_option("This one, instead of the one in use.")
def command(profile: str | None) -> None:
    """Forget the address and the key of a profile. The key itself stays good: `ogel keys revoke` ends it."""
    from ogel.cli import profiles

    kept = profiles.load()
    name = profile or kept.current
    if name is None:
        raise NotFound("No profile is in use.")
    if name not in kept.profiles:
        raise NotFound(f"There is {no_such('profile', name, sorted(kept.profiles))}.")
    url = kept.profiles.pop(name).url
    if kept.current == name:
        kept.current = None
    profiles.save(kept)
    click.echo(f"the key for {url} is forgotten")
    if kept.current is None and kept.profiles:
        click.echo(f"no profile is in use now; there are {', '.join(sorted(kept.profiles))}", err=True)
