"""Templates: which one is taken, and what their data may do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ogel.features.mail.templating import Rendered, Templates
from ogel.kernel.errors import Invalid, Unavailable


def render(folder: Path | None, name: str, locale: str = "en", **data: Any) -> Rendered:
    return asyncio.run(Templates(folder).render(name, locale, data))


def write(folder: Path, **files: str) -> None:
    """`en__a__txt="…"` is en/a.txt.jinja."""
    for file, text in files.items():
        locale, name, part = file.split("__")
        path = folder / locale.replace("_", "-") / f"{name}.{part}.jinja"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("de-AT", "de"), ("de_at", "de"), ("DE", "de"), ("fr", "en"), ("pt-br", "pt-BR"), ("pt", "en"),
     ("zh-hant-tw", "zh-Hant"), ("en-GB", "en")],
)  # fmt: skip
def test_a_language_falls_back(tmp_path: Path, asked: str, found: str) -> None:
    for locale in ("en", "de", "pt_BR", "zh_Hant"):
        write(tmp_path, **{f"{locale}__a__subject": locale, f"{locale}__a__txt": "t"})
    assert render(tmp_path, "a", asked).locale == found


def test_ones_own_stand_before_ours_with_all_their_parts(tmp_path: Path) -> None:
    write(tmp_path, en__welcome__subject="Mine", en__welcome__txt="mine {{ x }}")
    assert render(tmp_path, "welcome", x="<b>") == Rendered("en", "Mine", "mine <b>", None)
    assert render(tmp_path, "welcome", "de", app="A", url="u").subject == "Willkommen bei A"
    write(
        tmp_path,
        en__welcome__html='{% extends "_layout.html.jinja" %}{% block content %}{{ x }}{% endblock %}',
    )
    html = render(tmp_path, "welcome", x="<b>").html
    assert html is not None
    assert "&lt;b&gt;" in html and "<!doctype html>" in html
    templates = {each.name: each.locales for each in asyncio.run(Templates(tmp_path).list())}
    assert templates["welcome"] == ["de", "en"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{{ gone }}", "body.data.gone"),
        ("{% for x in gone %}{% endfor %}", "body.data.gone"),
        ("{{ user.gone }}", "body.data"),
        ("{{ user + 1 }}", "body.data"),
        ("{{ 1 / zero }}", "body.data"),
    ],
)
def test_data_that_does_not_fit_is_named(tmp_path: Path, text: str, path: str) -> None:
    write(tmp_path, en__a__subject="s", en__a__txt=text)
    with pytest.raises(Invalid) as caught:
        render(tmp_path, "a", user={"name": "Ann"}, zero=0)
    assert [each.path for each in caught.value.errors] == [path]


@pytest.mark.parametrize(
    "text",
    ["{% if %}", "{{ ''.__class__.__mro__ }}", "{{ items.append(1) }}", '{% include "nowhere" %}',
     '{% include "../../secret" %}'],
)  # fmt: skip
def test_a_template_that_is_wrong_or_reaches_out_is_refused(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    write(folder, en__a__subject="s", en__a__txt=text)
    with pytest.raises((Unavailable, Invalid)):
        render(folder, "a", items=[])


def test_data_is_never_a_template(tmp_path: Path) -> None:
    write(tmp_path, en__a__subject="{{ x }}", en__a__txt="{{ x }}", en__a__html="{{ x }}")
    evil = "{{ 7 * 7 }}<script>"
    assert render(tmp_path, "a", x=evil) == Rendered("en", evil, evil, "{{ 7 * 7 }}&lt;script&gt;")


def test_a_template_needs_a_text_or_html(tmp_path: Path) -> None:
    write(tmp_path, en__a__subject="s")
    with pytest.raises(Unavailable):
        render(tmp_path, "a")
