"""`ogel completion`"""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from ogel.cli import NAME

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
# Whoever sources the script in a .zshrc without a framework has no `compdef` yet.
_ZSH_BEGINS = f"#compdef {NAME}\n"
_ZSH_GUARD = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """A script that lets your shell complete commands and options.

    \b
        bash   echo 'source <(ogel completion bash)' >> ~/.bashrc
        zsh    echo 'source <(ogel completion zsh)' >> ~/.zshrc
        fish   ogel completion fish > ~/.config/fish/completions/ogel.fish
    """
    script = _SHELLS[shell](context.find_root().command, {}, NAME, f"_{NAME.upper()}_COMPLETE").source()
    script = script.lstrip("\n")
    if script.startswith(_ZSH_BEGINS):
        script = script.replace(_ZSH_BEGINS, _ZSH_BEGINS + _ZSH_GUARD, 1)
    click.echo(script.rstrip("\n"))
