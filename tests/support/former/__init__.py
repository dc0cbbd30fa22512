"""
What an `ogel up` of the version before the move to schemas left behind: its database (a dump of pg_dump) and its stored
objects, one backup. Under SECRET and ADMIN_KEY of tests/support/process.py; the backup was made before the last event.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

from ogel.adapters.embedded import EmbeddedServers

HERE = Path(__file__).parent
BACKUP = "bak_01m8hq5vm8egzscvfb1xampjgf"
KEY = "ogel_cOFbli_VYG-WsKUjWTn8KgZB5Oc45T5s6U3VxHE--JY"  # events:*
# Paused, with a delivery waiting for each of the events `former-0` to `former-2` and `former-later`.
WEBHOOK, WEBHOOK_SECRET = (
    "wh_01m8hq5v5tebqrny6znpmh47kr",
    "whsec_lA9NXCwtypPn0l1kyPGUJWI0i/w7oBGt7sTgmJO+29o=",
)
WEBHOOK_HEADER = ("x-token", "of the receiver")
SCHEDULE, DATABASE = "nightly-report", "orders"


def load_database(url: str) -> None:
    """Into an empty database."""
    with psycopg.connect(url) as connection:
        connection.execute((HERE / "database.sql").read_bytes())
        # Ticks that were missed since are made up for, and cleanup would forget what is old by now.
        connection.execute("DELETE FROM public.schedules WHERE id IS NULL")


def make_data_dir(data_dir: Path) -> None:
    with EmbeddedServers.start(data_dir, redis=False) as servers:
        assert servers.database_url
        load_database(servers.database_url)
    copy_objects(data_dir)


def copy_objects(data_dir: Path) -> None:
    shutil.copytree(HERE / "storage", data_dir / "storage")
