"""`ogel listen`"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ogel.cli.numbers import RealRange
from ogel.cli.operator import api, say_json
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, NotFound, OgelError, RateLimited, Unavailable
from ogel.runtime.log.terminal import printable

if TYPE_CHECKING:
    from ogel.cli.client import Client
    from ogel.cli.forwarding import Local
    from ogel.features.webhooks.listeners.handover import Handover, HandoverAnswer

AT_ONCE = 16
# Requests that are taken and not answered yet; nothing more is asked for meanwhile.
MOST_TAKEN = 64
WAIT_SECONDS, ANSWER_SECONDS = 10.0, 15.0
_PAUSES = (0.5, 1.0, 2.0, 5.0)
_TRIES_TO_ANSWER = 3


@click.command("listen")
@click.option(
    "--forward-to", "to", required=True, metavar="URL", help="Where to: localhost:3000/hook, https://…, 3000."
)
@click.option(
    "--events", multiple=True, metavar="GLOB", help="order.created, order.*; may be repeated. All without it."
)
@click.option(
    "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent along here; may be repeated."
)
@click.option("--timeout", type=RealRange(1, 30), metavar="SECONDS", help="For your program to answer.")
@click.option("--ordered", is_flag=True, help="Of events of one subject, one at a time, in order.")
@click.option("--skip-verify", is_flag=True, help="Take any certificate of an https:// URL.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one document to a line.")
def command(
    to: str,
    events: tuple[str, ...],
    headers: tuple[str, ...],
    timeout: float | None,
    ordered: bool,
    skip_verify: bool,
    as_json: bool,
) -> None:
    """Have deliveries sent to a program on this machine, until Ctrl-C.

    It is an endpoint like others while you listen: workers sign, log and retry its attempts, and what is replayed or
    retried comes here. It is deleted at the end.
    """
    from ogel.cli.forwarding import Local, local_url

    url = local_url(to)
    local = Local(url, [_header(each) for each in headers], AT_ONCE, skip_verify)
    wanted: dict[str, Any] = {
        "kind": "listener",
        "url": url,
        "events": list(dict.fromkeys(events)) or ["*"],
        "description": "ogel listen",
        "max_in_flight": AT_ONCE,
        "timeout_seconds": timeout,
        "ordered_by": "subject" if ordered else None,
    }
    try:
        with api(seals=True) as client:
            _Listener(client, local, wanted, as_json).listen()
    finally:
        local.close()


def _header(given: str) -> tuple[str, str]:
    name, colon, value = given.partition(":")
    if not (colon and name.strip()):
        raise click.UsageError(f"--header: {name!r} is not followed by a colon and a value")
    return name.strip(), value.strip()


class _Listener:
    """Asks in this thread; sends and answers in others, so that a slow program holds up nothing but itself."""

    def __init__(self, client: Client, local: Local, wanted: dict[str, Any], as_json: bool) -> None:
        self._client = client
        self._local = local
        self._wanted = wanted
        self._as_json = as_json
        self._saying = Lock()
        self._id = ""
        self._path = ""

    def listen(self) -> None:
        self._make()
        self._say_ready()
        with self._removed_at_the_end(), ThreadPoolExecutor(AT_ONCE) as threads:
            taken: set[Future[None]] = set()
            try:
                while True:
                    taken = _checked(taken)
                    for handover in self._asked():
                        taken.add(threads.submit(self._pass_on, handover))
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _make(self) -> None:
        made = self._client.request("POST", "/api/webhooks", body=self._wanted).as_(_Made)
        self._id, self._path = made.id, f"/api/webhooks/{made.id}/handovers"
        # If it is forgotten while this machine sleeps, the next one signs with the same.
        self._wanted["secret"] = made.secret

    def _asked(self) -> list[Handover]:
        """Waits for a while if there is nothing, and for as long as it takes if nobody answers."""
        from ogel.features.webhooks.listeners.handover import Handovers

        tries, forgotten = 0, False
        while True:
            try:
                if forgotten:
                    self._make()
                    self._note(f"It was away for too long and forgotten; listening anew as {self._id}.")
                    forgotten = False
                answer = self._client.request(
                    "POST",
                    self._path,
                    {"wait": WAIT_SECONDS},
                    timeout_seconds=WAIT_SECONDS + ANSWER_SECONDS,
                )
                if tries:
                    self._note("Connected again.")
                return answer.as_(Handovers).items
            except (NotFound, Unavailable, RateLimited) as error:
                if isinstance(error, NotFound) and not forgotten:
                    forgotten = True
                    continue
                # A platform answers 404 itself while it puts a new version in place.
                if not tries:
                    self._note(f"{error.message.rstrip('.')}; asking again until it answers.")
                time.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1

    def _pass_on(self, handover: Handover) -> None:
        began = time.monotonic()
        answer = self._local.send(handover)
        seconds = time.monotonic() - began
        late = self._answer(handover.id, answer)
        with self._saying:
            self._say(handover, answer, seconds, late)

    def _answer(self, id: str, answer: HandoverAnswer) -> str | None:
        """Why nobody heard it: the attempt is then made again."""
        for pause in _PAUSES[:_TRIES_TO_ANSWER]:
            try:
                self._client.request(
                    "POST", f"{self._path}/{id}", body=answer, timeout_seconds=ANSWER_SECONDS
                )
                return None
            except (Conflict, NotFound):
                return "too late, it will come again"
            except OgelError as error:
                said = error.message
                time.sleep(pause)
        return f"not reported: {said}"

    @contextmanager
    def _removed_at_the_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            try:
                query = {"webhook": self._id, "status": "pending"}
                waiting = self._client.listed("/api/deliveries", 100, query=query)
                self._client.request("DELETE", f"/api/webhooks/{self._id}")
            except OgelError as error:
                self._note(f"It could not be deleted ({error.message}) and will be forgotten in a minute.")
            else:
                if count := len(waiting.items):
                    many = f"more than {count}" if waiting.next else count
                    self._note(f"Deliveries that still waited and were cancelled: {many}.")

    def _say_ready(self) -> None:
        if self._as_json:
            say_json({"webhook": self._id, "secret": self._wanted["secret"], "url": self._wanted["url"]})
        else:
            events = ", ".join(self._wanted["events"])
            click.echo(f"Listening to {events} as {self._id}, for {printable(self._wanted['url'])}.")
            click.echo(f"What arrives is signed with {self._wanted['secret']} (Ctrl-C ends).")
        sys.stdout.flush()

    def _say(self, handover: Handover, answer: HandoverAnswer, seconds: float, late: str | None) -> None:
        status = answer.answered.status if answer.answered else None
        error = answer.failed and f"{answer.failed.reason}: {answer.failed.message}"
        if self._as_json:
            say_json(
                {
                    "at": utc_now(),
                    "event": handover.event,
                    "type": handover.event_type,
                    "delivery": handover.delivery,
                    "status": status,
                    "error": error,
                    "late": late,
                    "milliseconds": round(seconds * 1000),
                }
            )
        else:
            came = f"{status or error} in {seconds * 1000:.0f} ms" + (f" ({late})" if late else "")
            at = utc_now().astimezone().strftime("%H:%M:%S")
            colour = "green" if status and status < 300 and not late else "red"
            click.echo(
                f"{at}  {printable(handover.event_type)}  {printable(handover.event)}  "
                + click.style(printable(came), fg=colour)
            )
        sys.stdout.flush()

    def _note(self, text: str) -> None:
        click.echo(f"ogel: {printable(text)}", err=True)


class _Made(msgspec.Struct):
    id: str
    secret: str


def _checked(taken: set[Future[None]]) -> set[Future[None]]:
    """Those under way, after a wait if they are too many. Raises what one of the others raised."""
    done, under_way = wait(taken, timeout=0)
    while len(under_way) >= MOST_TAKEN:
        more, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        done |= more
    for each in done:
        each.result()
    return under_way
