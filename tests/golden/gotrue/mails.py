"""Mails as the recorded sink told them, read from those that Ogel has queued."""

from __future__ import annotations
