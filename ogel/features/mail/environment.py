"""A Jinja environment for mail, in which every conversion of a value to text uses `as_text`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import nodes, pass_eval_context
from jinja2.filters import do_join, make_attrgetter
from jinja2.nodes import EvalContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ogel.features.mail.data import as_text

_AS_TEXT = "as_text"
# Jinja's filters that begin with `str(value)`.
_OF_TEXT = ("string", "upper", "lower", "title", "capitalize", "trim", "center", "e", "escape")


class MailEnvironment(ImmutableSandboxedEnvironment):
    """
    `finalize` covers values between braces; `~` and some filters convert to text before it, so they are replaced.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters |= {name: _of_text(self.filters[name]) for name in _OF_TEXT}
        self.filters |= {_AS_TEXT: as_text, "join": _join, "format": _of_texts(self.filters["format"])}

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Jinja's hook for changing the parsed template."""
        return super()._generate(_Concatenated().visit(source), name, filename, defer_init)


class _Concatenated(NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Concat:
        self.generic_visit(node)
        node.nodes = [nodes.Filter(each, _AS_TEXT, [], [], None, None) for each in node.nodes]
        return node


def _of_text(made: Callable[..., Any]) -> Callable[..., Any]:
    return lambda value, *arguments, **named: made(as_text(value), *arguments, **named)


def _of_texts(made: Callable[..., Any]) -> Callable[..., Any]:
    """Numbers stay numbers, so that `%.2f` works."""

    def shown(value: Any) -> Any:
        return as_text(value) if isinstance(value, bool) or value is None else value

    return lambda text, *values, **named: made(
        text, *map(shown, values), **{name: shown(value) for name, value in named.items()}
    )


@pass_eval_context
def _join(context: EvalContext, values: Iterable[Any], between: str = "", attribute: Any = None) -> str:
    if attribute is not None:
        values = map(make_attrgetter(context.environment, attribute), values)
    joined: str = do_join(context, map(as_text, values), between)
    return joined
