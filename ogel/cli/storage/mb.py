"""`ogel storage mb`"""

from __future__ import annotations

import click

from ogel.cli.named import in_options
from ogel.cli.operator import api, json_option, say
from ogel.cli.tables import printable
from ogel.kernel.errors import Conflict, OgelError


@click.command("mb")
@click.argument("name")
@click.option(
    "--public", is_flag=True, help="Anybody may read its objects, by /storage/v1/object/public/NAME/…."
)
@click.option("--file-size-limit", type=click.IntRange(0), metavar="BYTES", help="Of an object, at most.")
@click.option(
    "--type", "types", multiple=True, metavar="TYPE/SUBTYPE|TYPE/*", help="All it takes. May be repeated."
)
@click.option(
    "--quota", type=click.IntRange(0), metavar="BYTES", help="Of all its objects together, at most."
)
@click.option("--encrypted", is_flag=True, help="Objects are encrypted before they go to the store.")
@json_option
def command(
    name: str,
    public: bool,
    file_size_limit: int | None,
    types: tuple[str, ...],
    quota: int | None,
    encrypted: bool,
    as_json: bool,
) -> None:
    """Make a bucket. Without --public, keys and whom policies or its permissions let may read it."""
    body = {
        "id": name,
        "public": public,
        "file_size_limit": file_size_limit,
        "allowed_mime_types": list(types) or None,
        "quota_bytes": quota,
        "encrypted": encrypted or None,
    }
    fields = {"id": "NAME", "allowed_mime_types": "--type", "quota_bytes": "--quota"}
    sent = {field: value for field, value in body.items() if value is not None}
    with api() as ogel, in_options(fields):
        try:
            answer = ogel.request("POST", "/api/storage/buckets", body=sent)
        except OgelError as error:  # the API's words are those of Supabase's clients
            if error.status != 409:
                raise
            raise Conflict(f"the bucket {printable(name)} already exists") from None
    if as_json:
        say(answer)
    else:
        click.echo(f"{name} is there: ogel storage cp FILE {name}:")
