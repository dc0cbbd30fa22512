"""OGEL_PUBLIC_HOPS at the start of processes; nobody is connected to, or looked up, before it is decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import ogel
from tests.support.process import ADMIN_KEY, SECRET

PASSWORD = "hWkzNQtbPpVdRmXy"
SETTINGS = {
    "DATABASE_URL": f"postgresql://postgres:{PASSWORD}@maglev.proxy.rlwy.net:20105/railway",
    "REDIS_URL": "redis://redis.railway.internal:6379",
    "OGEL_ADMIN_KEY": ADMIN_KEY,
    "OGEL_SECRET": SECRET,
    "OGEL_PUBLIC_HOPS": "refuse",
    "RAILWAY_ENVIRONMENT_ID": "an-environment",
    "PORT": "0",
}


@pytest.mark.parametrize(
    "command", [("api",), ("worker", "webhooks"), ("scheduler",), ("realtime",), ("up",)]
)
def test_a_process_that_refuses_says_which_variable_it_is(command: tuple[str, ...], tmp_path: Path) -> None:
    said = ogel(*command, at=tmp_path, **SETTINGS)
    expected = "DATABASE_URL leads to maglev.proxy.rlwy.net, which is public; OGEL_PUBLIC_HOPS is refuse"
    assert said.code == 2 and f"ogel: {expected}" in said.err.splitlines()
    assert PASSWORD not in said.out + said.err and "Traceback" not in said.err


def test_a_choice_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    said = ogel("network", "check", at=tmp_path, **{**SETTINGS, "OGEL_PUBLIC_HOPS": "maybe"})
    assert (said.code, said.err) == (
        2,
        "ogel: OGEL_PUBLIC_HOPS got 'maybe'; it takes warn, refuse or allow\n",
    )


def test_nothing_set_is_nothing_to_check(tmp_path: Path) -> None:
    said = ogel("network", "check", at=tmp_path)
    assert (said.code, said.err) == (0, "") and said.out.startswith("no server is set\n")
    assert "railway ssh --service NAME -- ogel network check" in said.out
