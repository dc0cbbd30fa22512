"""All that was seen of one service, for those who judge it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.recognition import Recognised
from ogel.features.consolidation.use.measures import Measures
from ogel.features.consolidation.use.references import Reference
from ogel.features.consolidation.use.requests import Requests
from ogel.features.consolidation.use.tables import Tables
from ogel.features.consolidation.wire.facts import AuthFacts, KongFacts, MetaFacts
from ogel.features.consolidation.wire.places import Place
from ogel.runtime.railway import Instance
from ogel.runtime.surveys import BucketsSeen, DocumentsSeen


class Referrer(Struct, frozen=True):
    """A reference, and what the service is that has it."""

    reference: Reference
    kind: Kind


class Seen(Struct, frozen=True):
    """
    What is None could not be seen, and is no zero.

    referrers  None: variables of other services could not be read.
    requests   by each log that could be read.
    places     where it could be asked from here; `answered`: one of them did.
    databases  what was found in the project's databases, when they were looked into.
    unseen     what was not seen, a sentence each.
    """

    service: Instance
    recognised: Recognised
    referrers: Sequence[Referrer] | None = None
    requests: Sequence[Requests] = ()
    places: Sequence[Place] = ()
    answered: bool = False
    measures: Measures = Measures()
    kong: KongFacts | None = None
    auth: AuthFacts | None = None
    meta: MetaFacts | None = None
    documents: DocumentsSeen | None = None
    store: BucketsSeen | None = None
    databases: Sequence[Tables] = ()
    unseen: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def kind(self) -> Kind:
        return self.recognised.kind

    @property
    def used(self) -> int:
        """Requests and connections that somebody made for a purpose; a log may have more than were read."""
        return max((each.used for each in self.requests), default=0)

    @property
    def is_silent(self) -> bool:
        """
        A log that would tell of requests, and was read to its beginning, has none for a purpose; and the service's own
        log, where requests over the private network would be, was read and has none either.
        """
        told = any(each.tells and each.complete for each in self.requests)
        return told and any(each.is_own for each in self.requests) and self.used == 0

    @property
    def is_silent_inside(self) -> bool:
        """Its own log would tell of requests over the private network, which pass no log of Railway's, and does not."""
        return self.is_silent and any(each.is_own and each.tells and each.complete for each in self.requests)

    def referred_by(self, *without: Kind) -> Sequence[Referrer]:
        """Those that are not of these kinds."""
        return [each for each in self.referrers or () if each.kind not in without]
