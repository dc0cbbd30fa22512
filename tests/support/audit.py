"""Records of the audit log sealed now, without waiting until they are a minute old."""

from __future__ import annotations

import psycopg

from tests.support.process import Client, eventually


def age(url: str) -> None:
    """What is not sealed yet could be."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE audit_logs SET created_at = created_at - interval '1 minute' WHERE chain_seq IS NULL"
        )


def seal(api: Client, url: str) -> None:
    age(url)
    api.ok("POST", "/api/schedules/audit.seal/run")
    eventually(
        lambda: all(
            each["seq"] for each in api.ok("GET", "/api/audit-logs?limit=100&action=event.publish")["items"]
        ),
        10,
        "the records to be sealed",
    )
