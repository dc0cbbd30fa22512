"""Time-based one-time passwords (RFC 6238): secrets, how authenticator apps learn them, and which code fits when."""

from __future__ import annotations

import hmac
import os
from base64 import b32encode
from io import BytesIO
from urllib.parse import quote

PERIOD_SECONDS = 30
DIGITS = 6
# As long as the hash (RFC 4226 §4, R6).
_SECRET_BYTES = 20
# A code is good for one step before and after its own: clocks differ, and people type slowly (RFC 6238 §5.2).
_STEPS_AROUND = 1
# Of an account's name in a QR code: with every character in percent-encoding, it must still fit.
_MOST_ACCOUNT_CHARACTERS = 64


def new_secret() -> bytes:
    return os.urandom(_SECRET_BYTES)


def in_base32(secret: bytes) -> str:
    """As people type it into an app that cannot see the QR code."""
    return b32encode(secret).decode().rstrip("=")


def uri(secret: bytes, issuer: str, account: str) -> str:
    """
    What a QR code says to authenticator apps. A colon divides issuer and account in the label, so that neither has one.
    """
    issuer, account = (
        quote(each.replace(":", " "), safe="@") for each in (issuer, account[:_MOST_ACCOUNT_CHARACTERS])
    )
    parameters = f"algorithm=SHA1&digits={DIGITS}&issuer={issuer}&period={PERIOD_SECONDS}"
    return f"otpauth://totp/{issuer}:{account}?{parameters}&secret={in_base32(secret)}"


def qr_code(text: str) -> str:
    """
    Returns an SVG image. It takes up to 0.2 s. No `#` stands in it: clients make a data URL of it by putting
    `data:image/svg+xml;utf-8,` before it, where that would end the image.
    """
    import segno  # enrolments are rare

    image = BytesIO()
    segno.make(text, micro=False, error="l").save(
        image, kind="svg", scale=4, light="white", xmldecl=False, nl=False, svgclass=None, lineclass=None
    )
    return image.getvalue().decode().replace("#000", "black").replace("#fff", "white")


def fitting_step(secret: bytes, code: str, at: float, last_step: int | None) -> int | None:
    """
    Returns the time step whose code this is; None when it fits none near the time `at`, or none later than `last_step`,
    whose code has been used (RFC 6238 §5.2). Spaces are not looked at, and digits may be those of any script.
    """
    given = "".join(code.split())
    if len(given) != DIGITS or not given.isdecimal():
        return None
    given = f"{int(given):0{DIGITS}}"
    now = int(at // PERIOD_SECONDS)
    # All of them are compared, so that the time it takes does not say which one was near.
    fitting = [
        step
        for step in range(now - _STEPS_AROUND, now + _STEPS_AROUND + 1)
        if hmac.compare_digest(given, code_of(secret, step))
    ]
    return next((step for step in fitting if last_step is None or step > last_step), None)


def code_of(secret: bytes, step: int) -> str:
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.hotp import HOTP

    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - what authenticator apps know
