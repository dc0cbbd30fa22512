"""What is known of S3 services by their names, so that fewer settings are needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

UrlStyle = Literal["path", "virtual"]


class Preset(Struct, frozen=True):
    """
    endpoint  with `{region}` where the region stands; None: everybody has their own.
    region    of those who do not say; None: the endpoint tells it, as `endpoint` has it.
    style     whether the bucket stands in the path or before the host. AWS knows both, of which minio-py chooses one.
    """

    endpoint: str | None = None
    region: str | None = None
    style: UrlStyle = "path"


PRESETS: Mapping[str, Preset] = {
    "s3": Preset("https://s3.{region}.amazonaws.com", "us-east-1"),
    "r2": Preset(region="auto"),
    "railway": Preset("https://storage.railway.app", "auto", "virtual"),
    "b2": Preset("https://s3.{region}.backblazeb2.com"),
    "minio": Preset(region="us-east-1"),
}


def complete(backend: str, values: dict[str, Any]) -> None:
    """Adds to the values of settings those that follow from the service."""
    preset = PRESETS[backend]
    region = values.get("s3_region") or preset.region or _told(preset, values.get("s3_endpoint"))
    if region is not None:
        values.setdefault("s3_region", region)
        if preset.endpoint is not None:
            values.setdefault("s3_endpoint", preset.endpoint.format(region=region))
    values.setdefault("s3_url_style", preset.style)


def _told(preset: Preset, endpoint: str | None) -> str | None:
    """The region that an endpoint names."""
    if endpoint is None or preset.endpoint is None:
        return None
    pattern = re.escape(preset.endpoint).replace(re.escape("{region}"), "([a-z0-9-]+)")
    found = re.fullmatch(pattern, endpoint)
    return None if found is None else found[1]
