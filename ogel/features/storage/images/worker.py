"""
What changes pictures, in a process of its own: whatever a picture does to the libraries that read it, it does here.

Run as a file, with the standard library and Pillow only. It reads a line of JSON (`size` and what is wanted) and as
many bytes of a picture, answers with a line and the bytes of another, and does so again until nothing comes any more.
Reading a head tells how large a picture is; nothing is decoded that has more pixels than allowed.
"""

from __future__ import annotations

import ctypes
import io
import json
import math
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# What Pillow may look for, and as what it is served; others are no pictures here.
TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "GIF": "image/gif",
}
_WITHOUT_ALPHA = ("JPEG",)
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # <linux/prctl.h>
# A larger profile of colours is left out: no real one is.
_MOST_PROFILE_BYTES = 64 * 1024


class Refused(Exception):
    """Its text is for whoever wants the picture."""


def main() -> None:
    limits = json.loads(sys.argv[1])
    _confine(limits)
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = limits["pixels"]
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        wanted = json.loads(line)
        content = source.read(wanted["size"])
        if len(content) < wanted["size"]:
            return
        _allow_cpu(limits["cpu_seconds"])
        head, picture = _answer(Image, content, wanted, limits)
        del content
        target.write(json.dumps(head).encode() + b"\n")
        target.write(picture)
        target.flush()


def _answer(
    library: Any, content: bytes, wanted: dict[str, Any], limits: dict[str, int]
) -> tuple[dict[str, Any], bytes]:
    try:
        made, format = changed(library, content, wanted, limits["pixels"])
        if len(made) > limits["bytes"]:
            raise Refused("What would become of it is too large: ask for less width or height.")
        return {"size": len(made), "type": TYPES[format]}, made
    except Refused as refused:
        return {"refused": str(refused), "size": 0}, b""
    except MemoryError:
        return {"refused": "It takes more memory than a picture may.", "size": 0}, b""
    except Exception:  # noqa: BLE001 - decoders fail in any way; all of them mean this
        return {"refused": "It cannot be read: it is damaged, or cut off.", "size": 0}, b""


def changed(library: Any, content: bytes, wanted: dict[str, Any], most_pixels: int) -> tuple[bytes, str]:
    """Returns the picture that is wanted, and its format. Raises Refused."""
    from PIL import UnidentifiedImageError

    try:
        picture: Image = library.open(io.BytesIO(content), formats=tuple(TYPES))
    except UnidentifiedImageError:
        raise Refused("It is none of the pictures that can be changed: JPEG, PNG, WebP, AVIF, GIF.") from None
    except (library.DecompressionBombError, library.DecompressionBombWarning):
        raise Refused(f"It has more than {most_pixels} pixels.") from None
    width, height = picture.size
    if width * height > most_pixels:
        raise Refused(f"It has more than {most_pixels} pixels.")
    format = str(picture.format) if wanted["format"] == "origin" else wanted["format"].upper()
    orientation = _orientation(picture)
    sides = (wanted["width"], wanted["height"])
    box, size = geometry((width, height), sides, wanted["resize"], turned=orientation > 4)
    # A JPEG is decoded at an eighth to a half of its size where that is enough.
    least = (size[0] * width / (box[2] - box[0]), size[1] * height / (box[3] - box[1]))
    picture.draft(None, (math.ceil(least[0]), math.ceil(least[1])))
    picture = _with_plain_colours(picture)
    across, down = picture.size
    if size != picture.size:
        part = (
            box[0] * across / width,
            box[1] * down / height,
            min(across, box[2] * across / width),
            min(down, box[3] * down / height),
        )
        picture = picture.resize(size, library.Resampling.LANCZOS, box=part, reducing_gap=3.0)
    picture = _upright(library, picture, orientation)
    return _encoded(library, picture, format, wanted["quality"]), format


def geometry(
    there: tuple[int, int], wanted: tuple[int, int], resize: str, *, turned: bool = False
) -> tuple[tuple[float, float, float, float], tuple[int, int]]:
    """
    Returns the part of the picture that is used, and the size that it gets; 0 stands for a side that follows from the
    other. Nothing becomes larger than it is. `turned`: it will be put upright, so that width is height.
    """
    across, down = (wanted[1], wanted[0]) if turned else wanted
    width, height = there
    whole = (0.0, 0.0, float(width), float(height))
    if not across and not down:
        return whole, there
    if not across or not down or resize == "contain":
        scale = min([1.0, *([across / width] if across else []), *([down / height] if down else [])])
        return whole, (max(1, round(width * scale)), max(1, round(height * scale)))
    size = (min(across, width), min(down, height))
    if resize == "fill":
        return whole, size
    scale = min(1.0, max(across / width, down / height))
    used = (min(width, size[0] / scale), min(height, size[1] / scale))
    left, top = (width - used[0]) / 2, (height - used[1]) / 2
    return (left, top, left + used[0], top + used[1]), size


def _orientation(picture: Image) -> int:
    """As cameras write it, 1 to 8: 1 is upright, from 5 on it lies on its side."""
    try:
        written = int(picture.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - a picture with unreadable Exif is a picture
        return 1
    return written if 1 <= written <= 8 else 1


def _upright(library: Any, picture: Image, orientation: int) -> Image:
    turns = library.Transpose
    turn = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _with_plain_colours(picture: Image) -> Image:
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        picture.load()
        if picture.mode in ("L", "RGB") and "transparency" in picture.info:
            return picture.convert("RGBA")
        return picture
    if picture.mode.startswith("I"):  # 16 bits of grey
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    has_alpha = "transparency" in picture.info or picture.mode in ("PA", "La", "RGBa")
    return picture.convert("RGBA" if has_alpha else "RGB")


def _encoded(library: Any, picture: Image, format: str, quality: int) -> bytes:
    """Without anything that the picture was labelled with, such as places and comments, save for its colours."""
    if format in _WITHOUT_ALPHA and picture.mode in ("LA", "RGBA"):
        ground = library.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture.getchannel("A"))
        ground.info = dict(picture.info)
        picture = ground
    profile = picture.info.get("icc_profile") or b""
    picture.info = {}
    options: dict[str, Any] = {"quality": quality} if format in ("JPEG", "WEBP", "AVIF") else {}
    if format == "AVIF":
        options["speed"] = 8
    elif format == "WEBP":
        options["method"] = 2  # of 0 to 6: half the time for a few bytes more
    elif format == "JPEG":
        options |= {"optimize": True, "progressive": True}
    if profile and len(profile) <= _MOST_PROFILE_BYTES and format != "GIF":
        options["icc_profile"] = profile
    made = io.BytesIO()
    try:
        picture.save(made, format, **options)
    except (OSError, ValueError):
        # WebP has no more than 16,383 pixels a side, and encoders tell so of memory, too.
        raise Refused(f"It is too large for {format}: ask for less width or height.") from None
    return made.getvalue()


def _confine(limits: dict[str, int]) -> None:
    """Less memory, no files, no new rights, and the processor after others; it ends with what started it."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != limits["parent"]:  # it ended before we asked to hear of it
        sys.exit(1)
    for kind, most in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        _, allowed = resource.getrlimit(kind)
        least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(kind, (least, least))


def _allow_cpu(seconds: int) -> None:
    """From now on; what goes on longer is ended by the kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    ends_at = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (ends_at, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
