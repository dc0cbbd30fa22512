"""Receivers of webhooks in processes of their own: what they saw is evidence that no sender can colour."""
