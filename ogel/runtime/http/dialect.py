"""A dialect: routes under one prefix that speak as the clients of another service expect, errors included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from starlette.types import Scope

from ogel.kernel.errors import OgelError
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import CredentialReader, apikey_header, bearer
from ogel.runtime.http.problem import problem
from ogel.runtime.http.route import Mount, Reply, Route, Stream

# Renders an error as a reply. Headers that HTTP itself requires (`WWW-Authenticate`, `Allow`, `Retry-After`, …) are
# added, unless the reply has them already.
RenderError = Callable[[OgelError, Scope], Reply]


class Dialect(Struct, frozen=True):
    """
    name               for tables and logs: `storage`.
    prefix             `/storage/v1`; all below is its own, paths that lead nowhere too. Paths of its routes and streams
                       are without it. Empty: what no other dialect has.
    render_error       says everything that went wrong, from a bad path to a fault of ours, in the dialect's words.
    credentials        what is looked at for who is asking, in this order.
    companions         what must be valid if it comes, whoever else is asking, on open routes too.
    strict_parameters  parameters that a route does not know, or that are given twice, are refused; otherwise they are
                       not looked at, and the first counts.
    cors               None: pages of other origins cannot use it, and OPTIONS is a method like others.
    host               a name of this server's at whose root the prefix stands as well; names below it
                       (`photos.s3.example.com`) are the first segment behind the prefix. Empty: none.
    mount              takes what is below the prefix and neither of its routes' nor another dialect's.
    """

    name: str
    prefix: str
    render_error: RenderError = problem
    credentials: Sequence[CredentialReader] = (bearer, apikey_header)
    companions: Sequence[CredentialReader] = ()
    strict_parameters: bool = True
    cors: Cors | None = None
    routes: Sequence[Route] = ()
    streams: Sequence[Stream] = ()
    host: str = ""
    mount: Mount | None = None

    def __post_init__(self) -> None:
        if (self.prefix and not self.prefix.startswith("/")) or self.prefix.endswith("/"):
            raise ValueError(f"{self.prefix!r} is no prefix of paths")

    def holds(self, path: str) -> bool:
        return path == self.prefix or path.startswith(f"{self.prefix}/")


# Each comes with the name of its feature.
Dialects = Sequence[tuple[str, Dialect]]

# The dialect of Ogel's own API.
OWN = Dialect("ogel", "", credentials=(bearer,))
