"""What `promtool check metrics` would say, and what is ours: https://prometheus.io/docs/practices/naming/."""

from __future__ import annotations

import re

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

# Units that are not the base ones, and types, as promlint has them.
_UNITS = (
    "s ms us ns sec b kb mb gb tb pb m h d minutes? hours? days? weeks? milliseconds kilobytes bits percents?"
)
_NOT_IN_NAMES = re.compile(f"({_UNITS} gauge counter histogram summary)".replace(" ", "|"))


def read_metrics(text: str) -> dict[str, Metric]:
    """By name, without `_total`. Checked on the way."""
    families: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in families, family.name
        assert family.documentation, family.name
        assert re.fullmatch(r"(ogel|process)_[a-z0-9_]+", family.name)
        assert not any(map(_NOT_IN_NAMES.fullmatch, family.name.split("_"))), family.name
        assert family.type in ("counter", "gauge", "histogram"), (family.name, family.type)
        of_cluster = family.name.startswith("ogel_cluster_")
        assert of_cluster == ("whole cluster" in family.documentation), family.name
        for sample in family.samples:
            assert not sample.name.endswith("_created")
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            if family.type == "gauge":
                assert not sample.name.endswith(("_count", "_sum", "_bucket")), sample.name
        families[family.name] = family
    return families
