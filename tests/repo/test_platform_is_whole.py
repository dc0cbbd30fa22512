"""What the parts of the platform declare fits together, and is used: most processes build a few of them, this all."""

from __future__ import annotations

from ogel.platform import NOWHERE, Platform


def test_every_kind_is_one_of_its_name_and_no_queue_mixes_isolated_and_others() -> None:
    """Processes find out when they have built both parts that bring kinds of the queue: some never, some late."""
    platform = Platform(NOWHERE)
    kinds = [kind for feature in platform.features for kind in feature.jobs]
    assert kinds
    assert platform.kinds.keys() == {kind.name for kind in kinds}  # raises ValueError, and says what


def test_every_purge_is_run() -> None:
    platform = Platform(NOWHERE)
    declared = {purge.name for feature in platform.features for purge in feature.purges}
    assert declared
    assert declared - platform.cleanup.purges.keys() == set(), (
        "these belong to a LazyFeature of _owners_of_rows"
    )


def test_every_table_that_is_left_out_is() -> None:
    platform = Platform(NOWHERE)
    declared = {table for feature in platform.features for table in feature.left_out}
    assert declared
    assert declared - platform.backups.left_out == set(), "these belong to a LazyFeature of _owners_of_rows"
