"""`ogel login`"""

from __future__ import annotations

import ipaddress
import sys
from urllib.parse import urlsplit

import click

from ogel.cli.given import prompt_hidden
from ogel.cli.operator import profile_option
from ogel.kernel.errors import ConfigError

_MOST_CHARACTERS = 8192
# Hosts that only a network of one's own has: of Railway's, and of a home.
_PRIVATE_ENDINGS = (".internal", ".local", ".localhost")


@click.command("login")
@click.argument("url")
@profile_option("Keep it under this name.")
@click.option("--key-stdin", is_flag=True, help="Read the key from the standard input; else it is asked for.")
def command(url: str, profile: str | None, key_stdin: bool) -> None:
    """Keep the address and the key of a suite elsewhere: all commands then speak to it.

    \b
        ogel login https://ogel.example.com
        ogel login https://staging.example.com --profile staging --key-stdin < key
        ogel --profile staging jobs list

    They are kept for you alone in profiles.json, in your directory for settings. A key is no argument: those stand in
    the shell's history and in every list of processes.
    """
    from ogel.cli import profiles
    from ogel.cli.client import over_http
    from ogel.runtime.http.me import Me

    name = profiles.clean_name(profile or profiles.DEFAULT)
    url = profiles.clean_url(url, "URL")
    key = profiles.clean_key(_key(url, key_stdin), "what was given")
    remote = profiles.Remote(url, key)
    with over_http(remote) as ogel:
        me = ogel.request("GET", "/api/me").as_(Me)
    kept = profiles.load()
    kept.profiles[name] = remote
    kept.current = name
    profiles.save(kept)
    click.echo(
        f"{url} knows you as {me.id}; it is the profile {name} now, and used where nothing else is said"
    )
    if _is_open(url):
        click.echo("ogel: over http:// everybody on the way can read the key: use https://", err=True)


def _key(url: str, from_stdin: bool) -> str:
    if from_stdin:
        key = sys.stdin.read(_MOST_CHARACTERS)
        if not key.strip():
            raise click.UsageError("--key-stdin: the standard input is empty")
        return key
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the key on: say --key-stdin")
    key = prompt_hidden(f"Key for {url}")
    if not isinstance(key, str):
        raise ConfigError("no key was given")
    return key


def _is_open(url: str) -> bool:
    """Whether the key crosses networks of others as it is."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(_PRIVATE_ENDINGS):
        return False
    try:
        return not ipaddress.ip_address(host).is_private
    except ValueError:
        return True
