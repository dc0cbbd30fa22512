"""`ogel doctor`: what is wrong with the settings, this machine, the servers and the suite that runs here."""

from ogel.cli.doctor.command import command

__all__ = ["command"]
