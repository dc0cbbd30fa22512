"""The banner of `ogel up`: after the last line of the start, whatever the disk says."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from unittest import mock

import pytest

from ogel.cli.banner import Banner, url_of
from ogel.settings import Settings


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://localhost:8080"),
        ("::", "http://localhost:8080"),
        ("0.0.0.0", "http://localhost:8080"),
        ("localhost", "http://localhost:8080"),
        ("192.168.1.7", "http://192.168.1.7:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_the_address_is_one_that_can_be_opened_here(host: str | None, url: str) -> None:
    assert url_of(host, 8080) == url


def test_it_waits_for_silence_and_survives_a_full_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = dataclasses.replace(Settings(), data_dir=tmp_path / "not there", log_form="text")
    silence = iter([0.0, 0.1, 0.2, 9.0])
    asked = 0

    def seconds() -> float:
        nonlocal asked
        asked += 1
        return next(silence)

    async def story() -> None:
        stop, banner = asyncio.Event(), Banner(settings)
        shown = asyncio.create_task(banner.show(stop))
        await asyncio.sleep(0)
        assert capsys.readouterr().err == ""
        banner.ready(8080)
        async with asyncio.timeout(10):
            while "http://localhost:8080" not in (said := capsys.readouterr().err):
                await asyncio.sleep(0.01)
        assert said.count("curl -s") == 3 and "admin key: " in said
        stop.set()
        await shown

    with (
        mock.patch("ogel.cli.banner.seconds_of_silence", seconds),
        mock.patch("ogel.cli.banner.SILENCE_SECONDS", 0.3),
    ):
        asyncio.run(story())
    assert asked == 4
    assert not (tmp_path / "not there").exists()


def test_whoever_is_told_to_stop_before_it_is_ready_shows_none(capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        stop = asyncio.Event()
        stop.set()
        await Banner(Settings()).show(stop)

    asyncio.run(story())
    assert capsys.readouterr().err == ""
