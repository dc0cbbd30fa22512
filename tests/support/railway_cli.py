"""
`railway` as its command line is documented (docs.railway.com/cli, August 2026), for pages that show it: forms that it
does not have are refused, `ssh` runs the command here, `logs` shows the log of the suite, all else is noted down.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_WHERE = {"--project": True, "--environment": True, "--service": True}
_ALIASES = {
    "-p": "--project",
    "-s": "--service",
    "-e": "--environment",
    "-y": "--yes",
    "-n": "--lines",
    "-f": "--filter",
}
# By command, its options, and whether each takes a value.
FORMS: dict[str, dict[str, bool]] = {
    "ssh": {**_WHERE, "--deployment-instance": True},
    "logs": {
        **_WHERE, "--lines": True, "--filter": True, "--since": True, "--until": True, "--latest": False,
        "--build": False, "--http": False, "--network": False, "--json": False,
    },
    "down": {"--service": True, "--environment": True, "--yes": False},
    "restart": {**_WHERE, "--yes": False, "--json": False},
    "redeploy": {**_WHERE, "--yes": False, "--json": False, "--from-source": False},
    "up": {**_WHERE, "--ci": False, "--detach": False, "--json": False, "--message": True},
    "deployment list": {**_WHERE, "--limit": True, "--json": False},
    "variable list": {**_WHERE, "--kv": False, "--json": False},
    "variable set": {**_WHERE, "--stdin": False, "--skip-deploys": False, "--json": False},
    "variable delete": {**_WHERE, "--json": False},
    "volume list": {**_WHERE, "--json": False},
    "scale": {**_WHERE, "--json": False},
    "usage": {"--json": False, "--period": True},
    "usage limit": {"--target": True, "--soft": True, "--hard": True},
    "metrics": {**_WHERE, "--json": False, "--all": False, "--raw": False, "--since": True},
    "status": {"--json": False},
    "link": {**_WHERE},
    "connect": {**_WHERE},
    "api": {"--variables": True, "--compact": False},
    "config plan": {"--json": False, "--show-values": False, "--file": True},
    "config apply": {"--yes": False, "--confirm-destructive": False, "--json": False, "--file": True},
    "bucket list": {**_WHERE, "--json": False},
}  # fmt: skip
_LOG, _SAID, _INSIDE = "STANDIN_LOG", "STANDIN_SAID", "STANDIN_INSIDE"


def install(directory: Path, log: Path) -> dict[str, str]:
    """
    A `railway` in the directory, and the variables that it reads; what it was told is in the file `said` there, and
    the environment of the container that it leads to in `inside`.
    """
    command = directory / "railway"
    command.write_text(f"#!{sys.executable} -IS\n" + Path(__file__).read_text())
    command.chmod(0o755)
    return {_LOG: str(log), _SAID: str(directory / "said"), _INSIDE: str(directory / "inside")}


def main(words: list[str]) -> None:
    name = " ".join(words[:2]) if " ".join(words[:2]) in FORMS else "".join(words[:1])
    if name not in FORMS:
        _refuse(f"unrecognized subcommand '{' '.join(words[:2])}'")
    plain, options = _parsed(words[len(name.split()) :], FORMS[name])
    with open(os.environ[_SAID], "a") as said:
        said.write(" ".join(words) + "\n")
    if name == "ssh":
        sys.stdout.flush()
        inside = json.loads(Path(os.environ[_INSIDE]).read_text())
        os.environ.update({**inside, "PATH": os.environ["PATH"]})
        os.execvp(plain[0], plain)  # noqa: S606 - as sshd would
    elif name == "logs":
        _show_log(options)
    elif name == "variable set":
        given = sys.stdin.read() if "--stdin" in options else "".join(plain)
        if "--stdin" not in options and "=" not in given:
            _refuse("invalid value: it takes KEY=VALUE")
        print("Set", ", ".join(each.partition("=")[0] for each in plain))
    elif name in ("restart", "redeploy"):
        if "--yes" not in options:
            _refuse("nobody is at this terminal to confirm it")
        print(f"The latest deployment for service {options['--service']} has been {name}ed")


def _parsed(words: list[str], known: dict[str, bool]) -> tuple[list[str], dict[str, str]]:
    plain: list[str] = []
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "--":
            return plain + words, options
        name, equals, value = word.partition("=")
        name = _ALIASES.get(name, name)
        if not name.startswith("-"):
            plain.append(word)
        elif name not in known:
            _refuse(f"unexpected argument '{word}' found")
        elif known[name] and not equals:
            if not words:
                _refuse(f"a value is required for '{word}'")
            options[name] = words.pop(0)
        else:
            options[name] = value
    return plain, options


def _show_log(options: dict[str, str]) -> None:
    if not options.keys() & {"--lines", "--since", "--until"}:
        _refuse("it would stream for ever: say --lines or --since")
    wanted = options.get("--filter", "").strip('"')
    lines = [line for line in Path(os.environ[_LOG]).read_text().splitlines() if wanted in line]
    for line in lines[-int(options.get("--lines", "200")) :]:
        print(line)


def _refuse(why: str) -> None:
    sys.exit(f"error: {why}")


if __name__ == "__main__":
    main(sys.argv[1:])
