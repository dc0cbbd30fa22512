"""Suppressions: addresses that no mail is sent to, because it bounced or because somebody asked for it."""
