"""Users and sessions as GoTrue's clients read them. What is not set is left out, as there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ogel.features.accounts.sessions.session import Issued
from ogel.features.accounts.users.user import Factor, Identity, User

Json = dict[str, Any]

# In GoTrue's order.
_TIMES_BEFORE = ("invited_at",)
_TIMES = (
    "confirmation_sent_at",
    "confirmed_at",
    "recovery_sent_at",
    "email_change_sent_at",
    "reauthentication_sent_at",
    "last_sign_in_at",
)


def session_shape(issued: Issued, *, just_made: bool = False) -> Json:
    """`just_made`: see user_shape."""
    return {
        "access_token": issued.access_token,
        "token_type": "bearer",
        "expires_in": issued.expires_in,
        "expires_at": issued.expires_at,
        "refresh_token": issued.refresh_token,
        "user": user_shape(issued.user, issued.identities, issued.factors, just_made=just_made),
    }


def user_shape(
    user: User,
    identities: Sequence[Identity] | None,
    factors: Sequence[Factor] = (),
    *,
    just_made: bool = False,
) -> Json:
    """
    `identities` None is said as null, as in lists of users. The answer that makes a user (`just_made`) leaves out
    `confirmed_at`.
    """
    shape: Json = {"id": user.id, "aud": user.aud, "role": user.role, "email": user.email or ""}
    _add(shape, user, "email_confirmed_at", *_TIMES_BEFORE)
    shape["phone"] = user.phone or ""
    _add(shape, user, "phone_confirmed_at", *_TIMES)
    if just_made:
        shape.pop("confirmed_at", None)
    if user.email_change:
        shape["new_email"] = user.email_change
    shape["app_metadata"] = user.app_metadata
    shape["user_metadata"] = user.user_metadata
    if factors:
        shape["factors"] = [factor_shape(each) for each in factors]
    shape["identities"] = None if identities is None else [identity_shape(each) for each in identities]
    shape |= {"created_at": user.created_at, "updated_at": user.updated_at}
    _add(shape, user, "banned_until", "deleted_at")
    shape["is_anonymous"] = user.is_anonymous
    return shape


def identity_shape(identity: Identity) -> Json:
    """`id` is the provider's id of the user, `identity_id` that of the identity."""
    shape: Json = {
        "identity_id": identity.id,
        "id": identity.provider_id,
        "user_id": identity.user_id,
    }
    if identity.identity_data:
        shape["identity_data"] = identity.identity_data
    shape["provider"] = identity.provider
    _add(shape, identity, "last_sign_in_at")
    shape |= {"created_at": identity.created_at, "updated_at": identity.updated_at}
    if identity.email is not None:
        shape["email"] = identity.email
    return shape


def factor_shape(factor: Factor) -> Json:
    """`phone` is always there, though no factor of ours has one."""
    shape: Json = {
        "id": factor.id,
        "created_at": factor.created_at,
        "updated_at": factor.updated_at,
        "status": factor.status,
    }
    if factor.friendly_name:
        shape["friendly_name"] = factor.friendly_name
    last = factor.last_challenged_at
    return shape | {"factor_type": factor.factor_type, "phone": "", "last_challenged_at": last}


def _add(shape: Json, of: User | Identity, *names: str) -> None:
    for name in names:
        value: datetime | None = getattr(of, name)
        if value is not None:
            shape[name] = value
