"""
Flows that end with a code instead of tokens, which only the client that began them can exchange: PKCE (RFC 7636).

The method is S256 alone: with `plain`, whoever saw the beginning could end it (RFC 9700 §2.1.1).
"""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from msgspec import Struct

from ogel.features.accounts.errors import AccountError
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.secrets.vault import Unsealable, Vault

# From its being given out; the browser is on its way back to the client that exchanges it.
CODE_SECONDS = 300
# RFC 7636 §4.1, §4.2.
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_MOST_VERIFIER = 1024
_SQL = Queries.beside(__name__)


class Exchanged(Struct, frozen=True):
    """Who has signed in, by which method of `amr`; `secrets` is what the flow kept for the client, if anything."""

    user_id: UUID
    method: str
    secrets: bytes | None


def flow_purpose(flow_id: str) -> str:
    """What the vault seals a flow's secrets for."""
    return f"flow:{flow_id}"


def challenge_of(challenge: str | None, method: str | None) -> str | None:
    """Returns the challenge; None without PKCE. Raises AccountError for half of one, or one that is no S256."""
    if not challenge and not method:
        return None
    if not challenge or not method:
        raise _invalid("PKCE flow requires code_challenge_method and code_challenge")
    if not _CHALLENGE.fullmatch(challenge):
        raise _invalid(
            "code challenge takes 43 to 128 letters, digits, hyphens, periods, underscores and tildes"
        )
    if method.lower() != "s256":
        raise _invalid("Invalid code_challenge_method")
    return challenge


class FlowService:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def begin(
        self,
        tx: Transaction,
        provider: str,
        method: str,
        challenge: str | None,
        redirect_to: str,
        lifetime: timedelta,
        *,
        user_id: UUID | None = None,
        secrets: bytes | None = None,
        linking: bool = False,
    ) -> UUID:
        """
        `method` is for `amr`. Without a challenge nothing can be exchanged: the flow only remembers. `secrets` is kept
        sealed.
        """
        id = uuid4()
        row = {
            "id": id,
            "user_id": user_id,
            "provider": provider,
            "method": method,
            "challenge": challenge,
            "redirect_to": redirect_to,
            "sealed": self._seal(id, secrets),
            "linking": linking,
            "seconds": lifetime.total_seconds(),
        }
        await tx.execute(_SQL.begin_flow, row)
        return id

    async def give_code(
        self, tx: Transaction, id: UUID, user_id: UUID, secrets: bytes | None = None
    ) -> str | None:
        """Returns what the client exchanges within five minutes; None when it was given out, or the flow is over."""
        code = str(uuid4())
        parameters = {
            "id": id,
            "user_id": user_id,
            "code_hash": _hash(code),
            "sealed": self._seal(id, secrets),
            "seconds": CODE_SECONDS,
        }
        return None if await tx.value(_SQL.give_code, parameters) is None else code

    async def exchange(self, tx: Transaction, code: str, verifier: str) -> Exchanged:
        """
        Of any number of calls for a code, one returns. Raises AccountError; a wrong verifier does not use the code up.
        """
        found = await tx.dicts(
            _SQL.exchange_code, {"code_hash": _hash(code), "challenge": _challenge_for(verifier)}
        )
        if found:
            return self._exchanged(**found[0])
        is_open = await tx.value(_SQL.is_given_out, {"code_hash": _hash(code)})
        if is_open is None:
            raise no_flow()
        if not is_open:
            raise AccountError(403, "flow_state_expired", "invalid flow state, flow state has expired")
        raise AccountError(
            400, "bad_code_verifier", "code challenge does not match previously saved code verifier"
        )

    def _exchanged(self, id: UUID, user_id: UUID, method: str, sealed: bytes | None) -> Exchanged:
        if sealed is None:
            return Exchanged(user_id, method, None)
        try:
            return Exchanged(user_id, method, self._vault.open(sealed, flow_purpose(str(id))))
        except Unsealable as error:
            # Sealed before OGEL_SECRET was changed: the sign-in begins anew.
            raise no_flow() from error

    def _seal(self, id: UUID, secrets: bytes | None) -> bytes | None:
        return None if secrets is None else self._vault.seal(secrets, flow_purpose(str(id)))


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()


def _challenge_for(verifier: str) -> str:
    """RFC 7636 §4.6."""
    digest = sha256(verifier[:_MOST_VERIFIER].encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def no_flow() -> AccountError:
    return AccountError(404, "flow_state_not_found", "invalid flow state, no valid flow state found")


def _invalid(message: str) -> AccountError:
    return AccountError(400, "validation_failed", message)
