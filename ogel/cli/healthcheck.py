"""`ogel healthcheck`"""

from __future__ import annotations

import http.client
import sys

import click

from ogel.cli.process import settings_of_environment

TIMEOUT_SECONDS = 5.0


@click.command("healthcheck")
def command() -> None:
    """Ask the process on PORT whether it is ready; exit 0 or 1."""
    connection = http.client.HTTPConnection(
        "localhost", settings_of_environment().port, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        body = response.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        click.echo(f"no answer: {error}", err=True)
        sys.exit(1)
    finally:
        connection.close()
    click.echo(body)
    sys.exit(0 if response.status == 200 else 1)
