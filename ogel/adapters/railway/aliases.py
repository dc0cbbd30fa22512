"""The same field asked many times in one document: a request for each service would soon be the hour's last one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ogel.adapters.railway.transport import Transport, changed

GROUP = 20

Answer = TypeVar("Answer")


async def asked_in_groups(
    transport: Transport, selection: str, several: Sequence[Mapping[str, str]], kind: type[Answer]
) -> list[Answer | None]:
    """
    `selection` is one field, whose variables, of type String!, end in `{n}`; `several` are their values. Returns the
    answers in that order. One of them that is refused refuses all of its group.
    """
    found: list[Answer | None] = []
    for begin in range(0, len(several), GROUP):
        group = several[begin : begin + GROUP]
        variables = {f"{name}{n}": value for n, each in enumerate(group) for name, value in each.items()}
        declared = ", ".join(f"${name}: String!" for name in variables)
        fields = " ".join(f"a{n}: {selection.format(n=n)}" for n in range(len(group)))
        text = f"query Several({declared}) {{ {fields} }}"
        answers = await transport.ask(text, variables, dict[str, kind | None])  # type: ignore[valid-type]
        for n in range(len(group)):
            if f"a{n}" not in answers:
                raise changed(selection.partition("(")[0], "missing")
            found.append(answers[f"a{n}"])
    return found
