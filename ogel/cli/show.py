"""`ogel show`"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ogel.cli.operator import api, identifier, json_option, say
from ogel.cli.tables import show_fields
from ogel.kernel.errors import NotFound

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client

# Where what an id begins with is looked up; one that two features have is looked up at both.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "wh": ("/api/webhooks/{id}",),
    "dlv": ("/api/deliveries/{id}",),
    "rpl": ("/api/replays/{id}",),
    "job": ("/api/jobs/{id}",),
    "msg": ("/api/mail/{id}", "/api/messages/{id}"),
    "dev": ("/api/devices/{id}",),
    "dbs": ("/api/databases/{id}",),
    "bak": ("/api/backups/{id}",),
    "team": ("/api/teams/{id}",),
}
# Publishers may give events ids of their own.
_EVENT = "/api/events/{id}"


@click.command("show")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """Whatever has this id: an endpoint, an event, a delivery, a job, a message, …"""
    with api() as ogel:
        place, answer = _found(ogel, id)
        if as_json:
            say(answer)
        elif (shown := _SHOWN.get(place)) is not None:
            shown(ogel, id, answer)
        else:
            show_fields(list(_fields(answer.as_(dict[str, Any]))))


def _found(ogel: Client, id: str) -> tuple[str, Answer]:
    for place in (*_PLACES.get(id.partition("_")[0], ()), _EVENT):
        try:
            return place, ogel.request("GET", place.format(id=id))
        except NotFound:
            continue
    raise NotFound(f"Nothing has the id {id!r}.")


def _webhook(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.webhooks.show import show_webhook

    show_webhook(ogel, id, as_json=False)


def _event(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.events import show_event

    show_event(ogel, id, as_json=False)


def _mail(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.mail import show_mail

    show_mail(ogel, id, as_json=False)


def _delivery(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.deliveries import show_delivery
    from ogel.features.webhooks.deliveries.delivery import DeliveryWithAttempts

    show_delivery(answer.as_(DeliveryWithAttempts))


def _job(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.jobs import show_job
    from ogel.features.jobs.job import JobInfo

    show_job(answer.as_(JobInfo))


def _message(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.messages import show_message
    from ogel.features.messaging.messages.message import MessageWithAttempts

    show_message(answer.as_(MessageWithAttempts))


def _backup(ogel: Client, id: str, answer: Answer) -> None:
    from ogel.cli.backup.following import show
    from ogel.features.backups.backup import Backup

    show(answer.as_(Backup))


# As the commands of their own show them; of others, every field.
_SHOWN: Mapping[str, Callable[[Client, str, Answer], None]] = {
    "/api/webhooks/{id}": _webhook,
    "/api/deliveries/{id}": _delivery,
    "/api/jobs/{id}": _job,
    "/api/mail/{id}": _mail,
    "/api/messages/{id}": _message,
    "/api/backups/{id}": _backup,
    _EVENT: _event,
}


def _fields(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        shown = f"{before}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _fields(value, f"{shown} ")
        elif value is not None:
            yield shown, value if isinstance(value, str) else msgspec.json.encode(value).decode()
