"""The schedules that features declare, with the changes that OGEL_SCHEDULES makes to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ogel.kernel.errors import ConfigError

# Imported late: only processes that evaluate cron expressions need it.
if TYPE_CHECKING:
    from ogel.runtime.jobs.kind import JobKind
    from ogel.runtime.lazy import Features
    from ogel.runtime.schedule.schedule import Schedule


class BuiltInSchedules:
    """`wanted` is the setting's value, by name or pattern; `kinds` are the job kinds of every feature."""

    def __init__(
        self,
        features: Features,
        kinds: Callable[[str], JobKind | None],
        wanted: Mapping[str, str],
    ) -> None:
        self._features = features
        self._kinds = kinds
        self._wanted = wanted

    @cached_property
    def all(self) -> Sequence[Schedule]:
        """
        Returns the schedules of all manifests, which builds every feature. Raises ConfigError, with a line for each
        unknown name and each unusable cron expression.
        """
        from ogel.runtime.schedule.setting import unknown, unusable

        declared = [schedule for feature in self._features.all() for schedule in feature.schedules]
        for schedule in declared:
            self._check(schedule)
        names = sorted(schedule.name for schedule in declared)
        mistakes = [
            f"OGEL_SCHEDULES names {name!r}; "
            + (f"did you mean {meant}?" if meant else f"there are {', '.join(names)}")
            for name, meant in unknown(self._wanted, names).items()
        ]
        mistakes += [f"OGEL_SCHEDULES: {reason}" for reason in unusable(declared, self._wanted)]
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        return [self.as_set(schedule) for schedule in declared]

    def as_set(self, schedule: Schedule) -> Schedule:
        from ogel.runtime.schedule.setting import as_set

        try:
            return as_set(schedule, self._wanted)
        except ValueError as error:
            raise ConfigError(f"OGEL_SCHEDULES: {error}") from None

    def _check(self, schedule: Schedule) -> None:
        if schedule.kind is None or self._kinds(schedule.kind) is None:
            raise ValueError(f"schedule {schedule.name!r} names {schedule.kind!r}, which no feature performs")
        # A name without a dot is a user's.
        if "." not in schedule.name:
            raise ValueError(f"schedule {schedule.name!r} has no dot in its name")
