"""A receiver in a process of its own that answers as a test says and can be asked what it saw, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, Self

from tests.support.receivers.child import Child

What = Literal["requests", "events", "accepted"]


@dataclass(frozen=True)
class Answer:
    """`hang` never answers; the sender has to give up."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    after_seconds: float = 0.0
    hang: bool = False


class Visit(NamedTuple):
    """
    A request as it was seen. Times are time.monotonic(), which on Linux and macOS is one clock for all processes.
    `answered` and `status` are None while, or if, it got no answer: it was in flight when its sender died.
    """

    id: str
    path: str
    arrived: float
    answered: float | None
    status: int | None
    head: str = ""
    body: str = ""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def headers(self) -> dict[str, str]:
        lines = (line.partition(":") for line in self.head.split("\r\n")[1:] if line)
        return {name.lower(): value.strip() for name, _, value in lines}


class RecordingReceiver(Child):
    """Answers every path 204 until told otherwise. `keep_content` is for tests that read headers and bodies."""

    def __init__(self, *, keep_content: bool = False) -> None:
        super().__init__("recording_server.py")
        self._keep_content = keep_content

    def __enter__(self) -> Self:
        super().__enter__()
        self.ask("keep_content", keep=self._keep_content)
        self.port = self.open_port()
        return self

    def open_port(self, port: int = 0) -> int:
        """Another port to listen on, or one that was closed before."""
        opened: int = self.ask("open", port=port)
        return opened

    def close_port(self, port: int) -> None:
        """Connections are refused from now on, and those that exist are reset."""
        self.ask("close", port=port)

    def url(self, path: str, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}{path}"

    def answer(self, path: str, *answers: Answer, fail_share: float = 0.0, seed: int = 1) -> None:
        """Each answer in turn, the last one for good; before that, `fail_share` of all requests are answered 500."""
        self.ask(
            "script", path=path, answers=[asdict(each) for each in answers], fail_share=fail_share, seed=seed
        )

    def visits(self, path: str | None = None) -> list[Visit]:
        rows: list[list[Any]] = self.ask("visits", path=path, content=self._keep_content, seconds=60)
        return [Visit(*row) for row in rows]

    def count(self, what: What, path: str | None = None) -> int:
        """`events` are counted once each, `accepted` are those of them that were answered with a success."""
        count: int = self.ask("count", path=path, what=what)
        return count

    def wait_for(self, what: What, count: int, seconds: float, path: str | None = None) -> None:
        self._wait(what, seconds, f"{count} {what}", path, count=count, ids=[])

    def wait_for_ids(
        self, what: Literal["events", "accepted"], ids: Sequence[str], seconds: float, path: str | None = None
    ) -> None:
        self._wait(what, seconds, f"{len(ids)} {what} by their ids", path, count=0, ids=list(ids))

    def _wait(self, what: What, seconds: float, wanted: str, path: str | None, **condition: Any) -> None:
        missing = self.ask(
            "wait", path=path, what=what, at_most_seconds=seconds, seconds=seconds + 20, **condition
        )
        assert not missing, (
            f"waited {seconds:g} s for {wanted} at {path or 'all paths'}: {missing} are missing"
        )
