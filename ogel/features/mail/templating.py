"""Templates: a subject, a text and an HTML part in a folder per language, filled with a caller's data."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from msgspec import Struct

from ogel.features.mail.contract import LOCALE_PATTERN
from ogel.kernel.errors import Invalid, Unavailable
from ogel.kernel.text import LINE_PATTERN, pattern

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

log = structlog.get_logger(__name__)

BUILT_IN = Path(__file__).parent / "templates"
LAST_LOCALE = "en"
PARTS = ("subject", "txt", "html")
# No dots or slashes, so a name cannot lead out of the folder.
NAME_PATTERN = pattern(
    r"^[a-z0-9][a-z0-9_-]{0,63}(?!\n)$", "a template's name: a-z, 0-9, _ and -, 64 at most"
)
SUBJECT_CHARACTERS = 500

_UNDEFINED = re.compile(r"'(?P<name>[^']*)' is undefined|has no attribute '(?P<attribute>[^']*)'")
_FILE = re.compile(rf"(?P<name>[a-z0-9][a-z0-9_-]*)\.(?P<part>{'|'.join(PARTS)})\.jinja")


class TemplateInfo(Struct, frozen=True):
    name: str
    locales: list[str]


class Rendered(Struct, frozen=True):
    locale: str
    subject: str
    text: str | None
    html: str | None


class Templates:
    """
    The operator's folder comes before the built-in one: a template there replaces the built-in one of the same name
    and language, with all its parts. Files are read again when they change.
    """

    def __init__(self, own: Path | None) -> None:
        self._folders = [folder for folder in (own, BUILT_IN) if folder is not None]

    async def list(self) -> Sequence[TemplateInfo]:
        return await asyncio.to_thread(self._list)

    async def choose(self, name: str, locales: Sequence[str]) -> str:
        """Returns the first locale that the template is there in, or its language; the last resort if there is none."""
        return await asyncio.to_thread(self._choose, name, locales)

    async def render(self, name: str, locale: str, data: Mapping[str, Any]) -> Rendered:
        """Raises Invalid naming what is missing, and Unavailable when the template itself is wrong."""
        return await asyncio.to_thread(self._render, name, locale, data)

    def _list(self) -> Sequence[TemplateInfo]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for folder in self._folders:
            for path in folder.glob("*/*.jinja"):
                file = _FILE.fullmatch(path.name)
                if file and file["part"] == "subject" and re.search(LOCALE_PATTERN, path.parent.name):
                    found[file["name"]].add(path.parent.name)
        return [TemplateInfo(name, sorted(locales)) for name, locales in sorted(found.items())]

    def _render(self, name: str, locale: str, data: Mapping[str, Any]) -> Rendered:
        from ogel.features.mail.data import (
            seen_by_templates,
        )  # and Jinja, which only template rendering needs

        folder, found = self._find(name, locale)
        try:
            seen = seen_by_templates(data)
        except RecursionError as error:
            raise Invalid.field("body.data", "is nested too deeply") from error
        parts = {
            part: self._fill(folder, f"{found}/{name}.{part}.jinja", seen)
            for part in PARTS
            if (folder / found / f"{name}.{part}.jinja").is_file()
        }
        if "txt" not in parts and "html" not in parts:
            raise self._unusable(f"{found}/{name}", "it has neither a .txt nor a .html part")
        subject = _one_line(parts["subject"])
        if not re.search(LINE_PATTERN, subject) or not 1 <= len(subject) <= SUBJECT_CHARACTERS:
            limit = f"a line of 1 to {SUBJECT_CHARACTERS} printable characters"
            raise Invalid.field("body.data", f"makes a subject that is not {limit}")
        return Rendered(found, subject, parts.get("txt"), parts.get("html"))

    def _find(self, name: str, locale: str) -> tuple[Path, str]:
        for candidate in _fallbacks(locale):
            for folder in self._folders:
                if (folder / candidate / f"{name}.subject.jinja").is_file():
                    return folder, candidate
        raise Invalid.field("body.template", f"{name!r} is not there in {' or '.join(_fallbacks(locale))}")

    def _choose(self, name: str, locales: Sequence[str]) -> str:
        for locale in locales:
            for candidate in _shorter_and_shorter(locale):
                if any((folder / candidate / f"{name}.subject.jinja").is_file() for folder in self._folders):
                    return candidate
        return LAST_LOCALE

    def _fill(self, folder: Path, path: str, data: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError

        try:
            return self._environments[folder].get_template(path).render(data)
        except UndefinedError as error:
            raise _missing(str(error)) from error
        except (TemplateSyntaxError, UnicodeDecodeError, OSError) as error:
            raise self._unusable(path, str(error)) from error
        except TemplateError as error:  # includes operations that the sandbox refuses, and a missing layout
            raise self._unusable(path, f"{type(error).__name__}: {error}") from error
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            # For example, a template calculates with a value that is a text.
            raise Invalid.field("body.data", f"does not fit the template: {error}") from error

    @cached_property
    def _environments(self) -> Mapping[Path, Environment]:
        """One per folder: a layout is looked for beside the template that extends it, then among the built-in ones."""
        from jinja2 import FileSystemLoader, StrictUndefined, pass_context

        from ogel.features.mail.environment import MailEnvironment

        return {
            folder: MailEnvironment(
                loader=FileSystemLoader([folder, BUILT_IN]),
                undefined=StrictUndefined,
                autoescape=lambda name: name is not None and ".html." in name,
                trim_blocks=True,
                lstrip_blocks=True,
                keep_trailing_newline=True,
                finalize=pass_context(_filled_in),
            )
            for folder in self._folders
        }

    @staticmethod
    def _unusable(path: str, reason: str) -> Unavailable:
        log.error("mail.template_unusable", template=path, reason=reason)
        return Unavailable(f"The template {path!r} cannot be used; the log says why.")


def _filled_in(context: Context, value: Any) -> str:
    """Returns the text of `{{ value }}`."""
    from ogel.features.mail.data import as_text

    text = as_text(value)
    if ".subject." in (context.name or "") and not re.search(LINE_PATTERN, text):
        raise Invalid.field(
            "body.data", "has line breaks or control characters where the subject is filled in"
        )
    return text


def _one_line(subject: str) -> str:
    """Replaces line breaks of the template and the spaces around them; everything else is kept."""
    lines = subject.strip("\n").split("\n")
    return lines[0] if len(lines) == 1 else " ".join(filter(None, (line.strip(" ") for line in lines)))


def _fallbacks(locale: str) -> Sequence[str]:
    """
    Returns `de-AT`, `de`, `en`, for example. Languages are lower case, regions upper case, scripts capitalised (RFC
    5646 §2.1.1).
    """
    return list(dict.fromkeys([*_shorter_and_shorter(locale), LAST_LOCALE]))


def _shorter_and_shorter(locale: str) -> Iterator[str]:
    language, *rest = re.split("[_-]", locale)
    tags = [language.lower(), *(tag.upper() if len(tag) < 4 else tag.title() for tag in rest)]
    for length in range(len(tags), 0, -1):
        yield "-".join(tags[:length])


def _missing(said: str) -> Invalid:
    found = _UNDEFINED.search(said)
    if found is not None and found["name"]:
        return Invalid.field(f"body.data.{found['name'][:100]}", "is needed by the template")
    if found is not None:
        return Invalid.field("body.data", f"has no {found['attribute'][:100]!r} where the template needs it")
    return Invalid.field("body.data", f"lacks what the template needs: {said[:200]}")
