"""Who waits for a provider does not wait for ever, nor together with everybody."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest import mock

import pytest

from ogel.features.accounts.oauth import calls
from ogel.features.accounts.oauth.calls import ProviderCalls
from ogel.kernel.errors import Unavailable
from ogel.runtime.identity_provider import ProviderError


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> str:
    return "answer"


def provider_calls() -> ProviderCalls:
    return ProviderCalls(mock.Mock(), mock.Mock())


def test_a_provider_that_does_not_answer_ends_the_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PROVIDER_SECONDS", 0.01)

    with pytest.raises(ProviderError, match="more than"):
        asyncio.run(provider_calls().wait("acme", never()))


def test_only_so_many_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_WAITING", 2)

    async def story() -> Any:
        waited = provider_calls()
        waiting = [asyncio.create_task(waited.wait("acme", never())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await waited.wait("acme", at_once())
        assert refused.value.retry_after_seconds == 1
        waiting.pop().cancel()
        await asyncio.sleep(0)
        answer = await waited.wait("acme", at_once())
        waiting.pop().cancel()
        return answer

    assert asyncio.run(story()) == "answer"
