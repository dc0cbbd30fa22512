"""`ogel s3-keys`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, identifier, json_option, say, say_list
from ogel.cli.tables import Column, Table

if TYPE_CHECKING:
    from ogel.features.storage.s3_keys.key import S3Key

_TABLE: Table[S3Key] = Table(
    "no S3 keys",
    [
        Column("access key id", lambda key: key.access_key_id),
        Column("state", lambda key: "active" if key.revoked_at is None else "revoked"),
        Column("may", lambda key: "read" if key.read_only else "read, write"),
        Column("name", gives=True),
        Column("buckets", lambda key: "(all)" if key.buckets is None else " ".join(key.buckets)),
    ],
)
# More than anybody has.
_ALL = 100_000


@click.group("s3-keys")
def command() -> None:
    """Create, list and revoke the keys of programs that speak S3."""


@command.command("create")
@click.argument("name")
@click.option("--bucket", "buckets", multiple=True, help="It may use this one only; repeat it.")
@click.option("--read-only", is_flag=True, help="It may list and download, and nothing else.")
@json_option
def create(name: str, buckets: tuple[str, ...], read_only: bool, as_json: bool) -> None:
    """Make a key. Its secret is printed once: nothing shows it again."""
    from ogel.features.storage.s3_keys.key import MadeS3Key

    body = {"name": name, "buckets": buckets or None, "read_only": read_only}
    with api() as ogel:
        answer = ogel.request("POST", "/api/s3-keys", body=body)
    if as_json:
        say(answer)
    else:
        made = answer.as_(MadeS3Key)
        click.echo(f"AWS_ACCESS_KEY_ID={made.access_key_id}\nAWS_SECRET_ACCESS_KEY={made.secret_access_key}")


@command.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """All keys, revoked ones too."""
    from ogel.features.storage.s3_keys.key import S3Key

    with api() as ogel:
        found = ogel.listed("/api/s3-keys", _ALL)
    say_list(found, as_json, S3Key, lambda keys: _TABLE.show(reversed(keys)))


@command.command("show")
@click.argument("id", type=identifier)
def show(id: str) -> None:
    """One key, as JSON: who made it, and when it was last used."""
    with api() as ogel:
        say(ogel.request("GET", f"/api/s3-keys/{id}"))


@command.command("revoke")
@click.argument("id", type=identifier)
def revoke(id: str) -> None:
    """End a key; it is refused everywhere within a second."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/s3-keys/{id}")
    click.echo(f"{id} revoked")
