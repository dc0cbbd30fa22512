"""Invitations: mailed to an address, and accepted once by the user who has confirmed that address."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from urllib.parse import urlencode
from uuid import UUID

from msgspec import structs

from ogel.features.mail.contract import MailQueue
from ogel.features.teams.events import invited
from ogel.features.teams.rights import Standing, may_give
from ogel.features.teams.service import TeamService, user_of
from ogel.features.teams.settings import TeamsSettings
from ogel.features.teams.store import InvitationStore, MemberStore, TeamStore
from ogel.features.teams.team import Invitation, MadeInvitation, Member, NewInvitation
from ogel.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal
from ogel.kernel.text import pseudonym
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.mail.address import InvalidAddress, parse_address
from ogel.runtime.outbox import Outbox
from ogel.runtime.rates.limiter import Limiter, refusal
from ogel.runtime.rates.policy import Quota

PARAMETER = "team_invitation"
TEMPLATE = "invitation"
# Open ones of a team. Each is a mail to somebody who did not ask for it.
MOST_OPEN = 200
# Of mails to one address in a day, whoever sends them.
MOST_TO_ADDRESS = 10
_BY_USER, _TO_ADDRESS = "team-invitations", "team-invitations-address"
_TOKEN_BYTES = 32


class InvitationService:
    def __init__(
        self,
        database: Database,
        teams: TeamService,
        people: TeamStore,
        members: MemberStore,
        store: InvitationStore,
        outbox: Outbox,
        audit: AuditTrail,
        mail: MailQueue,
        allowed: Callable[[str | None], str],
        app: str,
        limiter: Limiter,
        settings: TeamsSettings,
    ) -> None:
        """`allowed` returns the page that a link leads to: the one asked for if it may, or the site, called `app`."""
        self._database = database
        self._teams = teams
        self._people = people
        self._members = members
        self._store = store
        self._outbox = outbox
        self._audit = audit
        self._mail = mail
        self._allowed = allowed
        self._app = app
        an_hour = settings.invitations_an_hour
        self._limiter = limiter.of(
            {
                _BY_USER: (Quota(an_hour, 3600),) if an_hour else (),
                _TO_ADDRESS: (Quota(MOST_TO_ADDRESS, 86_400),),
            }
        )
        self._days = settings.invitation_days

    async def invite(self, caller: Caller, team_id: str, new: NewInvitation) -> MadeInvitation:
        """
        Another invitation to the same address takes the place of the first. Raises Forbidden for users who have not
        confirmed an address, Conflict where somebody of that address is in the team, RateLimited, and Unavailable where
        no mail can be sent.
        """
        email = _address(new.email)
        await self._admit(caller.principal, team_id, email, new)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        url = _with_token(self._allowed(new.redirect_to), token)
        async with self._database.transaction() as tx:
            standing = await self._teams.standing(tx, caller.principal, team_id, lock=True)
            standing.check_may_give(new.roles)
            inviter = await self._inviter(tx, standing)
            if await self._members.has_address(tx, team_id, email):
                raise Conflict("Somebody of this address is in the team already.")
            if await self._store.count_others(tx, team_id, email) >= MOST_OPEN:
                raise Conflict(
                    f"The team has {MOST_OPEN} open invitations: revoke some, or wait for an answer."
                )
            row = {
                "id": new_id("inv"),
                "team_id": team_id,
                "email": email,
                "roles": sorted(set(new.roles)),
                "token_hash": _hash(token),
                "invited_by": caller.principal.id,
                "days": self._days,
            }
            made = await self._store.put(tx, row)
            if new.send:
                said = {"app": self._app, "inviter": inviter, "team": standing.team.name}
                languages = [new.language] if new.language else []
                await self._mail.queue(tx, caller, email, TEMPLATE, languages, said, {"url": url})
            await self._outbox.publish(tx, [invited(made)])
            await self._record(tx, caller, "team_invitation.create", made)
        return MadeInvitation(**structs.asdict(made), url=None if new.send else url)

    async def _admit(self, principal: Principal, team_id: str, email: str, new: NewInvitation) -> None:
        """Before a transaction, since Redis may be asked."""
        async with self._database.autocommit() as tx:
            standing = await self._teams.standing(tx, principal, team_id)
            standing.check_may_give(new.roles)
        if new.send:
            if not self._mail.is_ready:
                raise Unavailable("No mail can be sent here: pass the link on yourself (`send: false`).")
            self._mail.admit()
        if standing.user_id is None:
            return
        for counted, rate in ((principal.id, _BY_USER), (pseudonym(email), _TO_ADDRESS)):
            verdict = await self._limiter.count(counted, rate)
            if verdict.refused_by:
                raise refusal(verdict)

    async def _inviter(self, tx: Transaction, standing: Standing) -> str:
        """Who invites, as the mail says it."""
        if standing.user_id is None:
            return self._app
        person = await self._people.person(tx, standing.user_id)
        if person is None or not person.is_confirmed or person.email is None:
            raise Forbidden("Confirm your own address before you invite others.")
        return person.email

    async def page(
        self, principal: Principal, team_id: str, after: str | None, limit: int
    ) -> list[Invitation]:
        """Expired ones too, until they are purged."""
        async with self._database.autocommit() as tx:
            (await self._teams.standing(tx, principal, team_id)).check_runs()
            return await self._store.page(tx, team_id, after, limit)

    async def revoke(self, caller: Caller, team_id: str, id: str) -> None:
        async with self._database.transaction() as tx:
            (await self._teams.standing(tx, caller.principal, team_id, lock=True)).check_runs()
            if not await self._store.delete(tx, team_id, id):
                raise NotFound(f"There is no invitation {id!r} to this team.")
            metadata = {"team": team_id}
            await self._audit.record(tx, caller, "team_invitation.revoke", "team_invitation", id, metadata)

    async def accept(self, caller: Caller, token: str) -> Member:
        """
        Raises NotFound for what is no invitation any more, Forbidden for a user of another address, who leaves it as it
        is. Who is in the team already stays what they are.
        """
        user_id = user_of(caller.principal)
        assert user_id is not None
        async with self._database.transaction() as tx:
            team_id = await self._store.find(tx, _hash(token))
            if team_id is not None:
                await self._people.lock(tx, team_id)
            invitation = None if team_id is None else await self._store.take(tx, _hash(token))
            person = await self._people.person(tx, user_id)
            if invitation is None or person is None or not await self._still_stands(tx, invitation):
                raise NotFound("There is no such invitation: it was used or revoked, or it has expired.")
            if person.email != invitation.email:
                raise Forbidden("This invitation is for somebody of another address than yours.")
            if not person.is_confirmed:
                raise Forbidden("Confirm your address first: this invitation is for who has it.")
            await self._record(tx, caller, "team_invitation.accept", invitation)
            member = await self._teams.join(tx, caller, invitation.team_id, person, invitation.roles)
            if member is None:
                member = await self._members.of(tx, invitation.team_id, user_id)
            assert member is not None
            return member

    async def _still_stands(self, tx: Transaction, invitation: Invitation) -> bool:
        """Who was removed, or runs the team no more, brings in nobody: not themselves either, by another address."""
        try:
            inviter = UUID(invitation.invited_by)
        except ValueError:
            return True  # a key, or an operator
        member = await self._members.of(tx, invitation.team_id, inviter)
        return member is not None and may_give(member.roles, invitation.roles)

    async def _record(self, tx: Transaction, caller: Caller, action: str, invitation: Invitation) -> None:
        metadata = {"team": invitation.team_id, "roles": invitation.roles}
        await self._audit.record(tx, caller, action, "team_invitation", invitation.id, metadata)


def _address(text: str) -> str:
    """As users have theirs: in lower case, the domain in ASCII."""
    try:
        address = parse_address(text)
    except InvalidAddress as error:
        raise Invalid.field("body.email", str(error)) from error
    if address.name or "<" in text:
        raise Invalid.field("body.email", "takes an address alone, without a name")
    return address.key


def _with_token(url: str, token: str) -> str:
    before, mark, fragment = url.partition("#")
    return f"{before}{'&' if '?' in before else '?'}{urlencode({PARAMETER: token})}{mark}{fragment}"


def _hash(token: str) -> bytes:
    """256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
