"""The page between a link of a mail and what it does: mail scanners open links, and only people press buttons."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from html import escape

from ogel.features.accounts.codes.links import accepted_languages
from ogel.runtime.http.route import Reply, Text

# Relative to the link, so that it holds behind any gateway.
FORM_PATH = "/verify/link"
_ACTION = FORM_PATH.removeprefix("/")
_LAST_LANGUAGE = "en"
# What the page says, and its button.
_WORDS: Mapping[str, tuple[str, str]] = {
    "en": ("One more step: continue to use the link of your message.", "Continue"),
    "de": ("Noch ein Schritt: Fahre fort, um den Link aus deiner Nachricht zu nutzen.", "Weiter"),
}
_STYLE = (
    "body{margin:15vh auto;max-width:30em;padding:0 1em;font:16px/1.5 system-ui,sans-serif;text-align:center}"
    "button{font:inherit;padding:.6em 2em}"
)
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
# Not form-action: browsers hold the redirect that follows against it, too.
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


def link_page(fields: Mapping[str, str], accept_language: str | None) -> Reply:
    """`fields` are sent when somebody presses the button."""
    asked = (tag.split("-")[0].lower() for tag in accepted_languages(accept_language))
    language = next((tag for tag in asked if tag in _WORDS), _LAST_LANGUAGE)
    words, button = _WORDS[language]
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    page = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f"<title>{button}</title><style>{_STYLE}</style></head><body><p>{words}</p>"
        f'<form method="post" action="{_ACTION}">{hidden}<button>{button}</button></form></body></html>'
    )
    headers = {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
    return Reply(Text(page.encode(), "text/html; charset=utf-8"), 200, headers)
