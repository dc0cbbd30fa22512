"""Databases that Ogel does not live in, on the server of the tests, each with a role of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from ogel.kernel.ids import new_id
from tests.support.process import Client, free_port

PASSWORD = "hunter2-hunter2-hunter2"


@dataclass(frozen=True)
class Outside:
    """`role` owns it."""

    url: str
    name: str
    host: str
    port: int
    role: str

    @property
    def parts(self) -> dict[str, Any]:
        return {
            "type": "postgresql",
            "host": self.host,
            "port": self.port,
            "database": self.name,
            "username": self.role,
            "password": PASSWORD,
        }

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()


@contextmanager
def an_outside_database(admin_url: str) -> Iterator[Outside]:
    name, role = new_id("outside"), new_id("role")
    parts = urlsplit(admin_url)
    assert parts.hostname and parts.port
    place = f"{parts.hostname}:{parts.port}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        owner, database = sql.Identifier(role), sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(PASSWORD)))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        url = urlunsplit(parts._replace(netloc=f"{role}:{PASSWORD}@{place}", path=f"/{name}"))
        try:
            yield Outside(url, name, parts.hostname, parts.port, role)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            connection.execute(sql.SQL("DROP ROLE {}").format(owner))


def slug() -> str:
    return f"db-{free_port()}-{time.monotonic_ns() % 10**6}"


def register(api: Client, **parts: Any) -> Any:
    return api.ok("POST", "/api/databases", {"name": slug(), **parts})
