"""What the parts of the platform declare fits together, and is used: most processes build a few of them, this all."""

from __future__ import annotations

from ogel.platform.platform import Platform
from ogel.runtime.lazy import LazyKinds
from ogel.settings import NOWHERE


def test_every_kind_is_one_of_its_name_and_no_queue_mixes_isolated_and_others() -> None:
    """Processes find out when they have built both parts that bring kinds of the queue: some never, some late."""
    platform = Platform(NOWHERE)
    kinds = [kind for feature in platform.features.all() for kind in feature.jobs]
    assert kinds
    assert LazyKinds(platform.features).keys() == {
        kind.name for kind in kinds
    }  # raises ValueError, and says what


def test_every_purge_is_run() -> None:
    platform = Platform(NOWHERE)
    declared = {purge.name for feature in platform.features.all() for purge in feature.purges}
    assert declared
    assert declared - platform.features["cleanup"].offers.purges.keys() == set()


def test_every_table_that_is_left_out_is() -> None:
    platform = Platform(NOWHERE)
    declared = {table for feature in platform.features.all() for table in feature.left_out}
    assert declared
    assert declared - platform.features["backups"].offers.left_out == set()
