"""Releases on Railway: looked up, gone back to, made; each deployment followed to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from msgspec import Struct

from ogel.features.releases.history import (
    FIRST,
    Return,
    ServiceHistory,
    WayBack,
    check_made_of,
    history,
    of_suite,
)
from ogel.runtime.railway import Deployment, Railway, RailwayError

# Of a service; older ones are nearly always past what Railway keeps.
MOST_DEPLOYMENTS = 50
# How long Railway may take until a rollback is seen as a deployment.
SEEN_SECONDS, LOOK_SECONDS = 60.0, 1.0
_WELL = ("SUCCESS", "SLEEPING")

# Told of each change: the service's name, and its deployment then.
Say = Callable[[str, Deployment], None]


class Ended(Struct, frozen=True):
    """How a service's deployment ended; `problem`: what Railway said, or that it did not end well."""

    service: str
    deployment: Deployment | None
    problem: str | None

    @property
    def well(self) -> bool:
        return self.problem is None


class ReleasesOnRailway:
    """Of one environment. `services`: by name; none: those that run Ogel's processes."""

    def __init__(
        self, railway: Railway, project_id: str, environment_id: str, services: Collection[str] = ()
    ) -> None:
        self._railway = railway
        self._project_id = project_id
        self._environment_id = environment_id
        self._services = services

    async def status(self) -> Sequence[ServiceHistory]:
        """Raises RailwayError, and NotFound where no service is meant."""
        instances = await self._railway.instances(self._project_id, self._environment_id)
        found = []
        # One after the other: Hobby allows ten requests a second.
        for each in of_suite(instances, self._services):
            found.append(history(each, await self._deployments(each.service_id, MOST_DEPLOYMENTS)))
        return found

    async def go_back(self, way: WayBack, say: Say) -> Sequence[Ended]:
        """
        All at once: nothing runs for long beside what it was not made for. Of what is only restored, those that Railway
        refused: they keep nothing else from going back.
        """
        returned, restored = await asyncio.gather(
            asyncio.gather(*(self._ended(each.service, self._return(each, say)) for each in way.returns)),
            asyncio.gather(*(self._ended(each, self._restored(each)) for each in way.restored)),
        )
        return [*returned, *(each for each in restored if not each.well)]

    async def deploy(
        self, services: Sequence[ServiceHistory], image: str | None, commit: str | None, say: Say
    ) -> Sequence[Ended]:
        """
        Who runs the migrations first; the others follow when that went well. Raises Conflict for a service that is made
        of something else.
        """
        for each in services:
            check_made_of(each, image)
        ended: list[Ended] = []
        first = [each for each in services if each.name == FIRST]
        for some in (first, [each for each in services if each not in first]):
            ended += await asyncio.gather(
                *(self._ended(each, self._deploy(each, image, commit, say)) for each in some)
            )
            if not all(each.well for each in ended):
                break
        return ended

    async def _ended(self, service: ServiceHistory, doing: Awaitable[Deployment | None]) -> Ended:
        try:
            last = await doing
        except RailwayError as error:
            return Ended(service.name, None, error.message)
        if last is None or last.status in _WELL:
            return Ended(service.name, last, None)
        return Ended(service.name, last, f"deployment {last.id} ended as {last.status}")

    async def _return(self, step: Return, say: Say) -> Deployment:
        service = step.service
        known = {each.id for each in await self._deployments(service.service_id)}
        await self._railway.rollback(step.to.id)
        # Or the next deployment, of a variable that changes, would bring back what was gone back from.
        await self._set_image(service, step.to)
        new = await self._new(service, known)
        return await self._followed(service, new.id, say)

    async def _restored(self, service: ServiceHistory) -> None:
        await self._set_image(service, service.running)

    async def _set_image(self, service: ServiceHistory, deployment: Deployment | None) -> None:
        image = None if deployment is None else deployment.image
        if image not in (None, service.image):
            await self._railway.set_image(service.service_id, self._environment_id, image)

    async def _deploy(
        self, service: ServiceHistory, image: str | None, commit: str | None, say: Say
    ) -> Deployment:
        if image is not None:
            await self._railway.set_image(service.service_id, self._environment_id, image)
        id = await self._railway.deploy(service.service_id, self._environment_id, commit)
        return await self._followed(service, id, say)

    async def _new(self, service: ServiceHistory, known: Collection[str]) -> Deployment:
        """A rollback says nothing of the deployment that it makes."""
        deadline = asyncio.get_running_loop().time() + SEEN_SECONDS
        while True:
            for each in await self._deployments(service.service_id):
                if each.id not in known:
                    return each
            if asyncio.get_running_loop().time() > deadline:
                raise RailwayError(
                    "away", f"Railway took the rollback of {service.name}, and shows no deployment of it"
                )
            await asyncio.sleep(LOOK_SECONDS)

    async def _deployments(self, service_id: str, most: int = 10) -> Iterable[Deployment]:
        return await self._railway.deployments(self._project_id, self._environment_id, service_id, limit=most)

    async def _followed(self, service: ServiceHistory, id: str, say: Say) -> Deployment:
        last: Deployment | None = None
        async for last in self._railway.follow(id):
            say(service.name, last)
        if last is None:
            raise RailwayError("changed", f"Railway tells nothing of deployment {id}")
        return last
