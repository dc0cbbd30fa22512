"""Settings reach the processes of docker-compose.yml and railway/: a new one cannot be forgotten there."""

from __future__ import annotations

import dataclasses
import re
import runpy
from pathlib import Path

import yaml

from ogel.environ import knobs, read_settings, value_of
from ogel.features.mail.settings import MailSettings
from ogel.settings import Settings

ROOT = Path(__file__).parents[2]

# What is not for whoever deploys to say.
DECIDED = {
    "OGEL_HOST": "by the image, which listens on every address",
    "PORT": "by the image, and where its ports are named",
    "OGEL_DATA_DIR": "by the image, where the volume is",
    "OGEL_PG_BIN": "nothing is embedded",
    "OGEL_REDIS_BIN": "nothing is embedded",
    "OGEL_AUTO_MIGRATE": "migrations run before everything else",
    "WORKER_QUEUES": "by the entrypoint",
    "OGEL_COMMIT": "by the image",
    "OGEL_COMMITTED_AT": "by the image",
    "RAILWAY_DEPLOYMENT_ID": "by Railway",
    "RAILWAY_ENVIRONMENT_ID": "by Railway",
    "RAILWAY_PRIVATE_DOMAIN": "by Railway",
    "RAILWAY_PROJECT_ID": "by Railway",
    "RAILWAY_PUBLIC_DOMAIN": "by Railway",
    "OGEL_SCHEDULE_LEAST_SECONDS": "by tests",
}
# Instead of SMTP_URL.
PIECES = {"SMTP_HOST", "SMTP_PORT", "SMTP_SECURE", "SMTP_USERNAME", "SMTP_PASSWORD"}
# Instead of DATABASE_URL, in docker-compose.yml: so the password may hold any character.
DATABASE_PIECES = {"POSTGRES_HOST", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}
# They have defaults, and belong to something that has none.
BELONG = {"LOG_LEVEL", "OGEL_BACKUP_KEEP", "OGEL_SITE_URL", "STORAGE_BACKEND"}

NAMES = {knob.name for knob in knobs().values()}


def without_a_default() -> set[str]:
    """Settings that somebody must give before they do anything."""
    return {knob.name for field, knob in knobs().items() if value_of(Settings(), field) in (None, ())}


def test_what_is_decided_elsewhere_is_a_setting() -> None:
    assert set(DECIDED) <= NAMES
    assert NAMES - without_a_default() >= BELONG


def test_compose_passes_what_stands_in_env_to_every_process_and_decides_the_rest() -> None:
    """A URL of the developer's own in .env must not win over the pieces of the server that stands here."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    image = dict(re.findall(r"\b([A-Z_]+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    for name, service in services.items():
        if "build" in service:
            assert service["env_file"] == [{"path": ".env", "required": False}], name
            decided = service["environment"]
            assert set(decided) >= DATABASE_PIECES | {"REDIS_URL", "OGEL_ADMIN_KEY", "OGEL_SECRET"}
            assert {decided[each] for each in ("DATABASE_URL", "DATABASE_UNPOOLED_URL")} == {""}
            for each in ("OGEL_DATA_DIR", "OGEL_HOST", "PORT"):
                assert decided[each] == image[each], each


def test_railway_passes_every_setting_without_a_default_to_every_service() -> None:
    railway = runpy.run_path(str(ROOT / "railway" / "railway.py"))
    passed = set(railway["variables"]()) - {"PORT"}
    assert passed == without_a_default() - set(DECIDED) | BELONG | {"OGEL_DRAIN_SECONDS"}
    assert len(set(railway["SHARED_VARIABLES"])) == len(railway["SHARED_VARIABLES"])


def test_what_is_passed_on_without_a_value_is_not_set() -> None:
    """
    As it arrives from Railway, where nobody made the variable. Where nothing is a choice in embedded mode, it is what
    everybody else has anyway.
    """
    mail = MailSettings(providers=(), sender="")
    nothing = dataclasses.replace(read_settings({}).settings, webhook_allow_nets=())
    expected = dataclasses.replace(nothing, sections={**nothing.sections, MailSettings: mail})
    assert read_settings(dict.fromkeys(NAMES | PIECES, "")).settings == expected
