"""What a service is: the kind that most evidence speaks for, and what speaks against it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from ogel.features.consolidation.evidence import Evidence, quoted
from ogel.features.consolidation.kinds import MARKS, Kind, repository_of
from ogel.runtime.railway import Instance

Certainty = Literal["certain", "likely", "by name", "unknown"]

WEIGHTS: Mapping[str, int] = {"name": 1, "variables": 2, "image": 3, "wire": 4}
_REFERENCE = re.compile(r"\$\{\{[^}]{1,200}\}\}")
_NAMED_AT_MOST = 4


class Recognised(Struct, frozen=True):
    """`against` is the evidence that points to another kind."""

    kind: Kind
    certainty: Certainty
    evidence: Sequence[Evidence]
    against: Sequence[Evidence]


def marks_of(instance: Instance, variables: Mapping[str, str]) -> list[Evidence]:
    """What is known of a service without asking it. `variables` as they were written."""
    return [
        *_by_name(instance.name),
        *(_by_image(instance.image) if instance.image else ()),
        *_by_variables(variables),
    ]


def recognise(evidence: Sequence[Evidence]) -> Recognised:
    """The heaviest kind wins. A name alone is too little to change anything for, and is called so."""
    telling = [each for each in evidence if each.says is not None]
    # However often a source says the same, it counts once: a service that answers much is not the surer for it.
    best = {(each.says, each.source): each.weight for each in sorted(telling, key=lambda each: each.weight)}
    weights: Counter[Kind] = Counter()
    for (kind, _), weight in best.items():
        if kind is not None:
            weights[kind] += weight
    if not weights:
        return Recognised("other", "unknown", evidence, ())
    # Of equals the one that was found by the better source.
    chosen = max(weights, key=lambda each: (weights[each], _best(telling, each)))
    against = [each for each in telling if each.says != chosen]
    return Recognised(chosen, _certainty(telling, chosen, against), evidence, against)


def _certainty(telling: Sequence[Evidence], kind: Kind, against: Sequence[Evidence]) -> Certainty:
    best = _best(telling, kind)
    if best <= WEIGHTS["name"]:
        return "by name"
    strongest_against = max((each.weight for each in against), default=0)
    if strongest_against > WEIGHTS["name"] or best < WEIGHTS["image"]:
        return "likely"
    return "certain"


def _best(telling: Iterable[Evidence], kind: Kind) -> int:
    return max(each.weight for each in telling if each.says == kind)


def _by_name(name: str) -> Iterable[Evidence]:
    # "postgres-meta" is also called "postgres": the longest name is meant.
    found = {kind: match for kind, marks in MARKS.items() if (match := marks.name.search(name)) is not None}
    if found:
        kind = max(found, key=lambda each: len(found[each][0].strip("-_. ")))
        yield Evidence("name", "the service's name", quoted(name), kind, WEIGHTS["name"])


def _by_image(image: str) -> Iterable[Evidence]:
    repository = repository_of(image)
    kind = next((kind for kind, marks in MARKS.items() if marks.image.search(repository)), None)
    yield Evidence("image", "the service's image", quoted(image), kind, WEIGHTS["image"] if kind else 0)


def _by_variables(variables: Mapping[str, str]) -> Iterable[Evidence]:
    own = {name for name, value in variables.items() if not _REFERENCE.search(value)}
    for kind, marks in MARKS.items():
        known = sorted((marks.variables & variables.keys()) | (marks.own & own))
        if len(known) >= marks.least and known:
            names = ", ".join(known[:_NAMED_AT_MOST]) + (", …" if len(known) > _NAMED_AT_MOST else "")
            yield Evidence("variables", "the names of its variables", names, kind, WEIGHTS["variables"])
