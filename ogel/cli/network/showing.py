"""How plans, and what was written of them, are shown: references, hosts and ports; of values no more than that."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ogel.cli.tables import Column, Table, printable, show_text
from ogel.features.network.moves.planning import Follows, Left, Move, Plan
from ogel.features.network.moves.reading import DAYS, Egress
from ogel.features.network.moves.undo import Change
from ogel.runtime.prices.dollars import dollars

if TYPE_CHECKING:
    from ogel.features.network.moves.view import View

_MOVES: Table[Move] = Table(
    "nothing is to be moved",
    [
        Column("variable", lambda each: _name(each)),
        Column("leads to", lambda each: ", ".join(each.leaves), gives=True),
        Column("becomes", lambda each: each.becomes),
    ],
)
LEGACY = "in environments from before 2025-10-16, private names have an AAAA record only"
RUNTIME = "the private network is there while a service runs, and not while it is built"
SEALED = "sealed variables are shown to nobody: look at them in Railway"


def show_plan(view: View, plan: Plan, egress: Egress) -> None:
    click.echo(printable(f"{view.project}, {view.environment}"))
    click.echo()
    _MOVES.show(plan.moves)
    click.echo()
    _show_notes([f"{_name(each)}: {each.note}" for each in plan.moves if each.note])
    _show_notes([f"{_name(each)}: refers to what is moved, and follows" for each in plan.follows])
    if plan.left:
        _show_notes([f"stays: {_name(each)} ({each.address}): {each.reason}" for each in plan.left])
    click.echo()
    for line in (*_costs(view, egress), *view.notes, SEALED, *([LEGACY, RUNTIME] if plan.moves else [])):
        show_text(line)
    if plan.moves:
        click.echo(f"plan {plan.fingerprint}")


def as_json(view: View, plan: Plan, egress: Egress) -> Mapping[str, Any]:
    return {
        "project": view.project,
        "environment": view.environment,
        "plan": plan.fingerprint,
        "moves": [
            {
                "service": each.service,
                "variable": each.name,
                "leads_to": each.leaves,
                "becomes": each.becomes,
                "note": each.note,
            }
            for each in plan.moves
        ],
        "follows": [{"service": each.service, "variable": each.name} for each in plan.follows],
        "left": [
            {"service": each.service, "variable": each.name, "leads_to": each.address, "reason": each.reason}
            for each in plan.left
        ],
        "egress": {
            "days": DAYS,
            "gb": {view.name_of(id): round(gb, 3) for id, gb in egress.gb.items()},
            "dollars_at_most": egress.dollars if egress.gb else None,
        },
        "notes": [each for each in (egress.note, *view.notes) if each],
    }


def show_verification(view: View, owners: Sequence[str | None], hosts: Mapping[str | None, str]) -> None:
    """
    What only the inside of the services can tell, once they run with the new values. `hosts`: a private name that each
    must know, for services that have no `ogel` in them.
    """
    proofs = []
    for owner in dict.fromkeys(owners):
        ours = any(name.startswith("OGEL_") for name in view.variables.get(owner, {}))
        proof = "ogel network check" if ours else f"getent ahosts {hosts[owner]}" if owner in hosts else None
        if owner is not None and proof is not None:
            proofs.append(f"  railway ssh --service {shlex.quote(printable(view.name_of(owner)))} -- {proof}")
    if proofs:
        click.echo("When they are deployed, each proves it from inside:")
        for line in proofs:
            click.echo(line)


def named(changes: Sequence[Change]) -> str:
    return ", ".join(each.full_name for each in changes)


def _costs(view: View, egress: Egress) -> list[str]:
    lines = [] if egress.note is None else [egress.note]
    if egress.gb:
        sent = ", ".join(f"{view.name_of(id)} {gb:.2f} GB" for id, gb in egress.gb.items())
        lines.append(
            f"sent to the public network in {DAYS} days: {sent}; that is {dollars(egress.dollars)}, and at most what is"
            " saved of it: it counts whatever else they send there, and not what their callers send"
        )
    return lines


def _name(each: Move | Left | Follows) -> str:
    return f"{each.service}.{each.name}"


def _show_notes(notes: Sequence[str]) -> None:
    for note in notes:
        show_text(note)


def quietly(step: str) -> None:
    """For machines: what is told them stands in the document at the end."""
