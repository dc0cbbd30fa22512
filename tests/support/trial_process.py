"""`ogel …` with a feature of the tests' own, and less patience with memory; started with `-m`."""

from __future__ import annotations

from ogel.cli import main
from ogel.platform import features
from ogel.runtime.lazy import LazyFeature
from ogel.runtime.process import memory
from tests.support.trial.feature import GROWING, ISOLATED

MODULE = "tests.support.trial_process"

if __name__ == "__main__":
    memory.LOOK_SECONDS, memory.LEAST_SECONDS = 0.1, 0.5
    trial = LazyFeature("trial", queues=[ISOLATED, GROWING], folder="tests.support")
    features.FEATURES = (*features.FEATURES, trial)
    main()
