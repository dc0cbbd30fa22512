"""MongoDB is greeted without a login: who it is, and what it tells everybody."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ogel.features.consolidation.evidence import Evidence, quoted
from ogel.features.consolidation.recognition import WEIGHTS
from ogel.features.consolidation.use.credentials import open_mongo
from ogel.features.consolidation.wire.places import Place
from ogel.runtime.database.registered import TargetError
from ogel.runtime.surveys import DocumentsSeen, Surveys


class Greeted(Struct, frozen=True):
    evidence: Sequence[Evidence] = ()
    documents: DocumentsSeen | None = None
    silent: Sequence[tuple[Place, str]] = ()


async def greet(surveys: Surveys, places: Sequence[Place]) -> Greeted:
    """Asks the first place that answers."""
    silent = []
    for place in places:
        if place.speaks != "mongodb":
            continue
        try:
            documents = await surveys.documents(open_mongo(place))
        except TargetError as error:
            silent.append((place, quoted(error.message)))
            continue
        told = "tells everybody more" if documents.documents is not None else "wants a login for more"
        answered = f"version {quoted(documents.version, 40)}; it {told}"
        asked = f"hello at {quoted(place.host)}:{place.port} ({place.way})"
        return Greeted([Evidence("wire", asked, answered, "mongodb", WEIGHTS["wire"])], documents, silent)
    return Greeted(silent=silent)
