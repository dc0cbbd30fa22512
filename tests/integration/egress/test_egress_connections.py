"""Which connections are shared, when they are closed, and how many there are."""

import asyncio

import pytest

from tests.support.egress_receiver import OK, Receiver, Run, Visit, a_client, failure, say_ok, send


def test_a_connection_is_reused_but_never_across_pool_keys(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client() as client:
            for key in ("whk_1", "whk_1", "whk_2", "whk_1"):
                exchange = await send(client, receiver.url, pool_key=key)
            await send(client, f"http://localhost:{receiver.port}/", pool_key="whk_1")
        assert [visit.connection for visit in receiver.visits] == [1, 1, 2, 1, 3]
        assert exchange.timings.connect is None

    run(story())


def test_a_stale_connection_is_replaced_once(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        # The first connection dies under its second request, as when its keep-alive has just run out.
        if visit.connection == 1 and len(receiver_visits) == 2:
            visit.close()
        else:
            visit.write(OK)

    receiver = Receiver(answer)
    receiver_visits = receiver.visits

    async def story() -> None:
        async with receiver.listening(), a_client() as client:
            await send(client, receiver.url)
            exchange = await send(client, receiver.url)
        assert exchange.status == 200
        assert [visit.connection for visit in receiver.visits] == [1, 1, 2]

    run(story())


def test_a_new_connection_that_dies_is_not_tried_again(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        visit.close()

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client() as client:
            error = await failure(client, receiver.url)
        assert (error.reason, error.peer) == ("reset", "127.0.0.1")
        assert len(receiver.visits) == 1

    run(story())


def test_an_answer_broken_off_on_a_reused_connection_is_not_tried_again(run: Run) -> None:
    async def answer(visit: Visit) -> None:
        if len(receiver.visits) == 1:
            visit.write(OK)
        else:
            visit.write(OK[:-1])
            visit.close()

    receiver = Receiver(answer)

    async def story() -> None:
        async with receiver.listening(), a_client() as client:
            await send(client, receiver.url)
            assert (await failure(client, receiver.url)).reason == "reset"
        assert len(receiver.visits) == 2

    run(story())


def test_idle_connections_are_closed_in_time(run: Run) -> None:
    async def story() -> None:
        async with Receiver(say_ok).listening() as receiver, a_client(keep_alive_seconds=0.05) as client:
            await send(client, receiver.url)
            serving = next(iter(receiver._serving))
            await asyncio.wait_for(serving, 2)

    run(story())


def test_connections_are_bounded_and_idle_ones_make_room(run: Run) -> None:
    open_now = most = 0

    async def answer(visit: Visit) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        visit.write(OK)

    async def story() -> None:
        async with Receiver(answer).listening() as receiver, a_client(max_connections=4) as client:
            await asyncio.gather(*(send(client, receiver.url, pool_key=f"whk_{n}") for n in range(20)))
            assert len(client._open) <= 4
        assert len(receiver.visits) == 20
        assert most <= 4

    run(story())


def test_waiting_for_a_free_connection_counts_towards_the_deadline(run: Run) -> None:
    async def story() -> None:
        held, release = asyncio.Event(), asyncio.Event()

        async def answer(visit: Visit) -> None:
            held.set()
            await release.wait()
            visit.write(OK)

        async with Receiver(answer).listening() as receiver, a_client(max_connections=1) as client:
            first = asyncio.create_task(send(client, receiver.url))
            await held.wait()
            assert (await failure(client, receiver.url, timeout_seconds=0.05)).reason == "timeout"
            release.set()
            assert (await first).status == 200
            assert (await send(client, receiver.url)).status == 200

    run(story())


def test_a_cancelled_caller_leaves_nothing_behind(run: Run) -> None:
    async def story() -> None:
        arrived = asyncio.Event()

        async def answer(visit: Visit) -> None:
            arrived.set()
            await asyncio.Event().wait()

        async with Receiver(answer).listening() as receiver, a_client() as client:
            sending = asyncio.create_task(send(client, receiver.url))
            await arrived.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert client._slots.taken == 0
            assert len(client._idle) == 0

    run(story())


def test_closing_cuts_what_is_under_way(run: Run) -> None:
    async def story() -> None:
        arrived = asyncio.Event()

        async def answer(visit: Visit) -> None:
            arrived.set()
            await asyncio.Event().wait()

        async with Receiver(answer).listening() as receiver, a_client() as client:
            sending = asyncio.create_task(failure(client, receiver.url))
            await arrived.wait()
            await client.close()
            cut, refused = await sending, await failure(client, receiver.url)
        # We stopped: neither is the receiver's fault.
        assert (cut.reason, cut.ours) == ("reset", True)
        assert (refused.reason, refused.ours) == ("connect", True)

    run(story())
