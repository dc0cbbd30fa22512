"""Speaks to any server that the settings name, for as long as it takes to know how far away it is."""

from ogel.adapters.network.probe import NetworkProber

__all__ = ["NetworkProber"]
