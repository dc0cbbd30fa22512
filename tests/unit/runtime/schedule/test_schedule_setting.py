"""What OGEL_SCHEDULES does to the schedules that features declare."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.setting import as_set, unknown

NIGHTLY = Schedule("things.sweep", "0 2 * * *", "things.sweep")
SLEEPING = Schedule("things.copy", "0 3 * * *", "things.copy", enabled=False)


@pytest.mark.parametrize(
    ("schedule", "wanted", "cron", "enabled"),
    [
        (NIGHTLY, {}, "0 2 * * *", True),
        (SLEEPING, {}, "0 3 * * *", False),
        (NIGHTLY, {"things.sweep": "5 4 * * *"}, "5 4 * * *", True),
        (NIGHTLY, {"things.sweep": "OFF"}, "0 2 * * *", False),
        (NIGHTLY, {"things.copy": "off", "other.*": "off"}, "0 2 * * *", True),
        # One that is off is switched on, at its own time or at another.
        (SLEEPING, {"things.copy": "on"}, "0 3 * * *", True),
        (SLEEPING, {"things.copy": "@hourly"}, "@hourly", True),
        # All that begin so; a name counts for more, wherever it stands.
        (NIGHTLY, {"things.*": "5 4 * * *"}, "5 4 * * *", True),
        (NIGHTLY, {"things.sweep": "on", "things.*": "off"}, "0 2 * * *", True),
        (NIGHTLY, {"things.*": "on", "things.sweep": "off"}, "0 2 * * *", False),
    ],
)
def test_a_setting_moves_and_switches(
    schedule: Schedule, wanted: Mapping[str, str], cron: str, enabled: bool
) -> None:
    set = as_set(schedule, wanted)
    assert (set.name, set.kind, set.cron, set.enabled) == (schedule.name, schedule.kind, cron, enabled)


def test_what_cannot_be_meant_is_named() -> None:
    names = ["things.sweep", "things.copy", "deep.down.below"]
    assert unknown(["things.sweep", "things.*", "deep.down.*"], names) == {}
    assert unknown(["thing.*", "*", "nothing", "things.swipe"], names) == {
        "*": None,
        "nothing": None,
        "thing.*": "things.*",
        "things.swipe": "things.sweep",
    }
    with pytest.raises(ValueError, match=r"things.sweep.*cron 'at night'"):
        as_set(NIGHTLY, {"things.sweep": "at night"})
