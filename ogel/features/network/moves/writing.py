"""Writes a plan into a project, and takes it back: each step so that the one after a crash knows where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.network.moves.planning import Plan
from ogel.features.network.moves.undo import Change, Undo, UndoFiles
from ogel.features.network.moves.view import SHARED, Key
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, NotFound, OgelError
from ogel.kernel.ids import new_id
from ogel.runtime.railway import Railway, VariableChange

_MOST_NAMED = 10


class Place(Struct, frozen=True):
    """An environment of a project, by id and by name; `services` names them by their ids."""

    project_id: str
    project: str
    environment_id: str
    environment: str
    services: Mapping[str, str]


class Options(Struct, frozen=True):
    """
    with_staged  what somebody else has staged becomes real, too.
    deploys      services whose variables change are deployed.
    force        also where a value is another one by now.
    """

    with_staged: bool = False
    deploys: bool = True
    force: bool = False


class TakenBack(Struct, frozen=True):
    """
    back     what is as it was before.
    already  what was so without us.
    changed  what is neither as we wrote it nor as it was before: left alone.
    gone     of services, or variables, that are not there any more.
    """

    undo: Undo
    back: Sequence[Change]
    already: Sequence[Change]
    changed: Sequence[Change]
    gone: Sequence[Change]


class Writing:
    """`told` hears of each step before it is taken."""

    def __init__(self, railway: Railway, undo: UndoFiles, place: Place, told: Callable[[str], None]) -> None:
        self._railway = railway
        self._undo = undo
        self._place = place
        self._told = told

    async def apply(self, plan: Plan, options: Options) -> Undo:
        """Raises Conflict when the project is not as it was planned for, RailwayError, ConfigError."""
        changes = [
            Change(each.owner, each.service, each.name, each.before, each.after, each.pair)
            for each in plan.moves
        ]
        await self._refuse_staged(changes, options)
        now = await self._written(changes)
        if other := [each for each in changes if now.get(_key(each)) != each.before]:
            raise Conflict(f"The project has changed since the plan: {_names(other)}. Plan again.")
        place = self._place
        undo = Undo(
            new_id("undo"),
            place.project_id,
            place.project,
            place.environment_id,
            place.environment,
            utc_now(),
            changes,
        )
        self._told(f"what they are now is kept in {self._undo.write(undo)}")
        message = f"ogel network apply {undo.id}: {_count(changes)} to the private network"
        try:
            await self._write({_key(each): each.after for each in changes}, changes, message, options)
        except OgelError:
            self._told(
                f"not all of it was done; `ogel network rollback --undo {undo.id}` takes back what was"
            )
            raise
        return undo

    async def rollback(self, undo: Undo, only: str | None, options: Options) -> TakenBack:
        """`only`: this one, `SERVICE.NAME`, and what it goes with. Raises Conflict, NotFound, RailwayError."""
        chosen = [
            each for each in undo.changes if only in (None, each.full_name, f"{each.service}.{each.pair}")
        ]
        if not chosen:
            raise NotFound(f"{only} is not among what {undo.id} wrote: {_names(undo.changes)}.")
        await self._refuse_staged(chosen, options)
        there = [each for each in chosen if each.owner is None or each.owner in self._place.services]
        now = await self._written(there)
        gone = [each for each in chosen if each not in there or _key(each) not in now]
        still = [each for each in there if each not in gone]
        already = [each for each in still if now[_key(each)] == each.before]
        changed = [each for each in still if now[_key(each)] not in (each.before, each.after)]
        back = [
            each for each in still if now[_key(each)] == each.after or (options.force and each in changed)
        ]
        if options.force:
            changed = []
        await self._unstage(already)
        if back:
            message = f"ogel network rollback {undo.id}: {_count(back)} as before"
            await self._write({_key(each): each.before for each in back}, back, message, options)
        rest = [
            each for each in undo.changes if each not in back and each not in already and each not in gone
        ]
        if rest:
            self._undo.write(replace(undo, changes=rest))
        else:
            self._undo.forget(undo)
        return TakenBack(undo, back, already, changed, gone)

    async def _write(
        self, values: Mapping[Key, str], changes: Sequence[Change], message: str, options: Options
    ) -> None:
        environment_id = self._place.environment_id
        self._told(f"staging {_count(values)}")
        staged = [VariableChange(owner, name, value) for (owner, name), value in values.items()]
        await self._railway.stage(environment_id, staged)
        # Whoever staged something in this moment did not see that we commit it.
        await self._refuse_staged(changes, options)
        self._told("committing" + (", which deploys their services" if options.deploys else ""))
        await self._railway.commit_staged(environment_id, message, deploys=options.deploys)
        now = await self._written(changes)
        if other := [each for each in changes if now.get(_key(each)) != values[_key(each)]]:
            raise Conflict(f"Railway has committed, and does not show it: {_names(other)}. Look at them.")

    async def _unstage(self, changes: Sequence[Change]) -> None:
        """An apply that ended before its commit has left these staged."""
        staged = await self._staged()
        ours = [each for each in changes if staged.get(_key(each)) == each.after]
        if not ours:
            return
        self._told(f"unstaging {_count(ours)}")
        if len(ours) == len(staged) and not await self._railway.staged_elsewhere(self._place.environment_id):
            await self._railway.discard_staged(self._place.environment_id)
            return
        same = [VariableChange(each.owner, each.name, each.before) for each in ours]
        await self._railway.stage(self._place.environment_id, same)

    async def _refuse_staged(self, ours: Sequence[Change], options: Options) -> None:
        """Raises Conflict where somebody else's changes would be made real with ours. Values are not shown."""
        mine = {_key(each): (each.before, each.after) for each in ours}
        staged = await self._staged()
        others = [key for key, value in staged.items() if key in mine and value not in mine[key]]
        if others:
            raise Conflict(
                f"Somebody has staged another value: {self._named(others)}. Commit or discard it in Railway first."
            )
        names = [key for key in staged if key not in mine]
        elsewhere = await self._railway.staged_elsewhere(self._place.environment_id)
        if (names or elsewhere) and not options.with_staged:
            listed = ", ".join(filter(None, [self._named(names), _listed([*map(self._readable, elsewhere)])]))
            raise Conflict(
                f"Somebody has staged changes, which a commit makes real too: {listed}. Commit or discard them in"
                " Railway first, or say --with-staged."
            )

    async def _staged(self) -> Mapping[Key, str | None]:
        staged = await self._railway.staged(self._place.environment_id)
        return {(owner, name): value for owner, values in staged.items() for name, value in values.items()}

    async def _written(self, changes: Sequence[Change]) -> Mapping[Key, str]:
        """As they are written now."""
        place = self._place
        found: dict[Key, str] = {}
        for owner in dict.fromkeys(each.owner for each in changes):
            values = await self._railway.variables(
                place.project_id, place.environment_id, owner, rendered=False
            )
            found |= {(owner, name): value for name, value in values.items()}
        return found

    def _readable(self, path: str) -> str:
        """`services.api.source` for the path that has the service's id."""
        return ".".join(self._place.services.get(part, part) for part in path.split("."))

    def _named(self, keys: Sequence[Key]) -> str:
        names = [
            f"{SHARED if owner is None else self._place.services.get(owner, owner)}.{name}"
            for owner, name in keys
        ]
        return _listed(sorted(names))


def _key(change: Change) -> Key:
    return change.owner, change.name


def _names(changes: Sequence[Change]) -> str:
    return _listed([each.full_name for each in changes])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _count(things: Sequence[object] | Mapping[Key, str]) -> str:
    return f"{len(things)} variable{'' if len(things) == 1 else 's'}"
