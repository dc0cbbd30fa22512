"""What somebody wants of a picture."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MOST_SIDE = 4096
Side = Annotated[int, Meta(ge=0, le=MOST_SIDE)]
# A browser that takes one of these says so, and gets the smaller picture.
_ASKED_FOR = (("image/webp", "webp"), ("image/avif", "avif"))


class Wanted(Struct, frozen=True):
    """
    width, height  pixels; 0: what follows from the other, or as it is. Nothing is made larger.
    resize         `cover` fills both sides and cuts off what is beyond, `contain` stays within them, `fill` distorts.
    quality        of lossy formats.
    format         `origin`: what it was; None: what the client likes.
    """

    width: Side = 0
    height: Side = 0
    resize: Literal["cover", "contain", "fill"] = "cover"
    quality: Annotated[int, Meta(ge=20, le=100)] = 80
    format: Literal["origin", "webp", "avif", "jpeg", "png"] | None = None

    def for_client(self, accept: str | None) -> Rendition:
        """`accept` is the header: the first of our formats that it names, and does not exclude, is taken."""
        return Rendition(
            self.width, self.height, self.resize, self.quality, self.format or _liked(accept or "")
        )


class Rendition(Struct, frozen=True):
    """One picture that can be made of another: the same from each who wants the same."""

    width: int
    height: int
    resize: str
    quality: int
    format: str

    @property
    def key(self) -> str:
        """Which it is among those of one picture."""
        return (
            f"width={self.width},height={self.height},resize={self.resize},quality={self.quality},"
            f"format={self.format}"
        )


def _liked(accept: str) -> str:
    named = {}
    for each in accept.split(","):
        type, _, parameters = each.partition(";")
        named[type.strip().lower()] = parameters.replace(" ", "")
    for type, format in _ASKED_FOR:
        if type in named and named[type] not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            return format
    return "origin"
