"""What the audit answers: a service each, with the evidence, the reason, the steps and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.consolidation.evidence import Evidence
from ogel.features.consolidation.judgement.verdict import Answer, Risk
from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.recognition import Certainty


class ServiceReport(Struct, frozen=True):
    """
    is_audited        its kind is one that this audit judges.
    evidence          what says what it is; `against` what speaks for something else; `use` who uses it.
    monthly_cost      dollars at list prices and the rate of these days; None: not measured.
    monthly_saving    of that, what the answer saves.
    requests          made for a purpose in these days, by the log that has most; None: no log told.
    private_only      nobody could ask it from here, although it has a private name.
    look              where to look, where the answer is not known.
    """

    id: str
    name: str
    kind: Kind
    title: str
    certainty: Certainty
    is_audited: bool
    image: str | None
    answer: Answer
    reason: str
    risk: Risk
    hazard: str
    monthly_cost: float | None
    monthly_saving: float | None
    referrers: Sequence[str] | None
    requests: int | None
    private_only: bool
    evidence: Sequence[Evidence]
    against: Sequence[Evidence]
    use: Sequence[Evidence]
    steps: Sequence[str]
    way_back: Sequence[str]
    look: Sequence[str]


class Report(Struct, frozen=True):
    """`unseen`: what could not be read of the project; `notes`: what holds for all answers. A sentence each."""

    project: str
    environment: str
    at: datetime
    days: float
    looked_inside: bool
    services: Sequence[ServiceReport]
    monthly_saving: float
    unseen: Sequence[str]
    notes: Sequence[str]


def notes_of(services: Sequence[ServiceReport]) -> Sequence[str]:
    """What holds for the answers as a whole."""
    said = [
        "Addresses that stand in code or in sealed variables are not seen: what goes is stopped first, and deleted "
        "when nobody has missed it."
    ]
    replaced = any(each.answer == "replace" for each in services)
    if replaced and all(each.kind != "ogel" for each in services):
        said.append(
            "Ogel is not in this environment yet: what it will cost (ogel cost plan --idle) is not taken off what is "
            "saved."
        )
    return said
