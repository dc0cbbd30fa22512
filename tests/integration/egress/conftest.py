"""Each story runs on both event loops that Ogel runs on."""

import asyncio

import pytest
import uvloop

from tests.support.egress_receiver import Run


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return request.param  # type: ignore[no-any-return]
