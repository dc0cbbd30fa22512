"""`ogel smoke`: whether a deployment does what it is for, seen from outside; nothing of it stays."""

from ogel.cli.smoke.command import command

__all__ = ["command"]
