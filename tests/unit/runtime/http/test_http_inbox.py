"""The inbox of a connection's application."""

from __future__ import annotations

import asyncio

from starlette.types import Message

from ogel.runtime.http.inbox import Inbox

FAREWELL: Message = {"type": "websocket.disconnect", "code": 1006}


def said(text: str) -> Message:
    return {"type": "websocket.receive", "text": text, "bytes": None}


def test_a_full_inbox_holds_the_sender_back() -> None:
    async def story() -> None:
        inbox = Inbox(2)
        for text in ("a", "b"):
            await inbox.put(said(text))
        third = asyncio.create_task(inbox.put(said("c")))
        await asyncio.sleep(0)
        assert not third.done()
        assert await inbox.get() == said("a")
        await third
        assert [await inbox.get(), await inbox.get()] == [said("b"), said("c")]

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_farewell_always_fits() -> None:
    async def story() -> None:
        inbox = Inbox(1)
        await inbox.put(said("a"))
        await inbox.put(FAREWELL)
        assert [await inbox.get(), await inbox.get()] == [said("a"), FAREWELL]

    asyncio.run(asyncio.wait_for(story(), 10))


def test_who_reads_no_more_holds_nobody_back() -> None:
    async def story() -> None:
        inbox = Inbox(1)
        await inbox.put(said("a"))
        waiting = asyncio.create_task(inbox.put(said("b")))
        await asyncio.sleep(0)
        inbox.close()
        await waiting
        await inbox.put(said("c"))
        await inbox.put(said("d"))

    asyncio.run(asyncio.wait_for(story(), 10))
