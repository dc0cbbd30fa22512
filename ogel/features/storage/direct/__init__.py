"""Uploads that go to the store itself, past us: by a URL that we sign, and with a word when they are there."""
