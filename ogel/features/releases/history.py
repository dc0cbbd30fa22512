"""What each service of a suite on Railway runs, what it ran before, and what going back would take. Asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from ogel.features.releases.release import AppliedMigration
from ogel.kernel.errors import Conflict, NotFound
from ogel.kernel.text import no_such
from ogel.runtime.railway import Deployment, Instance

# Deployments that took the place of others: they answer, sleep, or have crashed since.
_RUNS = frozenset({"SUCCESS", "SLEEPING", "CRASHED"})
# Those that may still do so.
_UNDER_WAY = frozenset({"INITIALIZING", "QUEUED", "WAITING", "NEEDS_APPROVAL", "BUILDING", "DEPLOYING"})
# Deployments of one release are made so close together, at most.
_TOGETHER = timedelta(hours=1)
_ENTRYPOINTS = "/app/entrypoints/"
_COMMANDS = ("ogel api", "ogel worker", "ogel scheduler", "ogel realtime", "ogel up")
# What runs migrations before the others start.
FIRST = "api"


class ServiceHistory(Struct, frozen=True):
    """
    image, repo what the service is made of.
    running     what answers now, or would if it had not crashed; None: nothing was ever deployed.
    under_way   the newest deployment, while it is not clear what comes of it.
    before      what ran earlier and can be gone back to, newest first.
    """

    service_id: str
    name: str
    image: str | None
    repo: str | None
    running: Deployment | None
    under_way: Deployment | None
    before: Sequence[Deployment]

    @property
    def last(self) -> Deployment | None:
        """One step back. What was itself gone back to is not left for what was gone back from."""
        of = made_of(self.running)
        for place, each in enumerate(self.before):
            others = (made_of(between) != of for between in self.before[:place])
            if of is not None and made_of(each) == of and any(others):
                return next(iter(self.before[place + 1 :]), None)
        return next(iter(self.before), None)


class Return(Struct, frozen=True):
    """One service goes back to one deployment."""

    service: ServiceHistory
    to: Deployment


class WayBack(Struct, frozen=True):
    """
    stays     what does not go back, by name, with the reason: it need not.
    stuck     what should and cannot, likewise.
    restored  of these, what runs an earlier image than the service is set to: one that never came to run. It is set
              back, or the next deployment would bring it.
    """

    returns: Sequence[Return]
    stays: Mapping[str, str]
    stuck: Mapping[str, str] = {}
    restored: Sequence[ServiceHistory] = ()


def of_suite(instances: Iterable[Instance], wanted: Collection[str] = ()) -> Sequence[Instance]:
    """Those that run Ogel's processes, or the `wanted` ones by name. Raises NotFound."""
    several = sorted(instances, key=lambda each: (each.name != FIRST, each.name))
    names = [each.name for each in several]
    for name in wanted:
        if name not in names:
            raise NotFound(f"there is {no_such('service', name, names)}")
    found = [each for each in several if (each.name in wanted if wanted else _is_ours(each))]
    if not found:
        known = f" of {', '.join(names)}" if names else ""
        raise NotFound(f"none{known} starts a process of Ogel's: name services by --service")
    return found


def _is_ours(instance: Instance) -> bool:
    command = instance.start_command or ""
    return command.startswith(_ENTRYPOINTS) or any(each in command for each in _COMMANDS)


def history(instance: Instance, deployments: Iterable[Deployment]) -> ServiceHistory:
    """Of all deployments of an environment, newest first, those of this service."""
    own = [each for each in deployments if each.service_id == instance.service_id]
    place = next((place for place, each in enumerate(own) if each.status in _RUNS), None)
    running = None if place is None else own[place]
    older = own if place is None else own[place + 1 :]
    under_way = own[0] if own and own[0].status in _UNDER_WAY else None
    before = [each for each in older if each.can_rollback]
    return ServiceHistory(
        instance.service_id, instance.name, instance.image, instance.repo, running, under_way, before
    )


def check_made_of(service: ServiceHistory, image: str | None) -> None:
    """Raises Conflict where what is made of a repository is to get an image, or otherwise (None: a commit)."""
    if image is not None and service.repo is not None:
        raise Conflict(
            f"{service.name} is made of {service.repo}: say --commit, or have it made of an image first"
        )
    if image is None and service.repo is None:
        raise Conflict(
            f"{service.name} is made of {service.image or 'nothing'}, which has no commits: say --image"
        )


def one_step(services: Sequence[ServiceHistory]) -> WayBack:
    """Undoes the newest release: what was deployed last, with what was deployed along with it."""
    _refuse_while_under_way(services)
    newest = max(
        (each for each in services if each.running is not None),
        key=lambda each: _made(each.running),
        default=None,
    )
    if newest is None:
        raise NotFound("nothing runs there that could be gone back from")
    returns, stays, stuck = [], {}, {}
    for each in services:
        if not _came_with(each, newest):
            stays[each.name] = "was not deployed along with it"
        elif each.last is None:
            stuck[each.name] = "has nothing that Railway could still go back to"
        else:
            returns.append(Return(each, each.last))
    return _found(WayBack(returns, stays, stuck))


def until(services: Sequence[ServiceHistory], moment: datetime) -> WayBack:
    """To what each ran at that moment."""
    _refuse_while_under_way(services)
    returns, stays, stuck, restored = [], {}, {}, []
    for each in services:
        target = next((one for one in each.before if one.created_at < moment), None)
        if each.running is None or each.running.created_at < moment:
            stays[each.name] = "runs what it ran then"
            if each.running is not None and each.running.image not in (None, each.image):
                restored.append(each)
        elif target is None:
            stuck[each.name] = "has nothing of then that Railway could still go back to"
        else:
            returns.append(Return(each, target))
    return WayBack(returns, stays, stuck, restored)


def as_in(services: Sequence[ServiceHistory], earlier: Mapping[str, str | None]) -> WayBack:
    """To the deployments that ran by service id; None: nothing did. What was not known then stays."""
    _refuse_while_under_way(services)
    returns, stays, stuck, restored = [], {}, {}, []
    for each in services:
        wanted = earlier.get(each.service_id)
        target = next((one for one in each.before if one.id == wanted), None)
        if each.running is None or wanted is None:
            stays[each.name] = "did not run then"
        elif each.running.id == wanted:
            stays[each.name] = "runs what it ran then"
            if each.running.image not in (None, each.image):
                restored.append(each)
        elif target is None:
            stuck[each.name] = f"ran {wanted}, which Railway cannot go back to any more"
        else:
            returns.append(Return(each, target))
    return WayBack(returns, stays, stuck, restored)


def to_deployment(services: Sequence[ServiceHistory], deployment_id: str) -> WayBack:
    """To one deployment of one service; the others to what they had of the same commit or image, if it is another."""
    _refuse_while_under_way(services)
    chosen = next(
        (Return(each, one) for each in services for one in each.before if one.id == deployment_id), None
    )
    if chosen is None:
        raise NotFound(
            f"{deployment_id} is none of the deployments that Railway can go back to; `ogel release status` has them"
        )
    returns, stays, stuck, of = [chosen], {}, {}, made_of(chosen.to)
    for each in services:
        if each is chosen.service:
            continue
        target = next((one for one in each.before if of is not None and made_of(one) == of), None)
        if each.running is not None and of is not None and made_of(each.running) == of:
            stays[each.name] = "runs that already"
        elif target is None:
            stuck[each.name] = "has nothing of the same commit or image to go back to"
        else:
            returns.append(Return(each, target))
    return WayBack(returns, stays, stuck)


def made_of(deployment: Deployment | None) -> str | None:
    """The commit or image, which deployments of one release share."""
    return None if deployment is None else deployment.commit or deployment.image


def moved_on(way: WayBack, applied: Iterable[AppliedMigration]) -> Sequence[str]:
    """Migrations that were applied after something was deployed that is gone back to: it has never met them."""
    oldest = min((each.to.created_at for each in way.returns), default=None)
    return [] if oldest is None else [each.name for each in applied if each.applied_at > oldest]


def _came_with(service: ServiceHistory, newest: ServiceHistory) -> bool:
    """Whether it went the same way at about the same time: from one commit or image to another."""
    if service is newest:
        return True
    if service.running is None or made_of(service.running) is None:
        return False
    same = (made_of(service.running), made_of(service.last)) == (
        made_of(newest.running),
        made_of(newest.last),
    )
    return same and _made(newest.running) - _made(service.running) <= _TOGETHER


def _made(deployment: Deployment | None) -> datetime:
    assert deployment is not None
    return deployment.created_at


def _refuse_while_under_way(services: Iterable[ServiceHistory]) -> None:
    """What comes of it would take the place of what was gone back to."""
    for each in services:
        if each.under_way is not None:
            raise Conflict(
                f"{each.name}: deployment {each.under_way.id} is {each.under_way.status}; wait until it is over"
            )


def _found(way: WayBack) -> WayBack:
    if not way.returns:
        reasons = "; ".join(f"{name} {why}" for name, why in {**way.stuck, **way.stays}.items())
        raise NotFound(f"there is nothing to go back to: {reasons}")
    return way
