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
        ("{{ null }}", "body.data.null"),
        ("{% if null %}{% endif %}", "body.data.null"),
        ("{{ null|upper }}{{ zero }}", "body.data.null"),
        ("{{ user.null }}", "body.data.user.null"),
        ("{{ list }}", "body.data.list[1]"),
        ("{{ list|join }}", "body.data.list[1]"),
        ("{{ None ~ 'x' }}", "body.data"),
        ("{{ None|string }}", "body.data"),
        ("{{ deep }}", "body.data.deep.a[0].b"),
        ("{{ user.get('gone') }}", "body.data"),
        ("{{ user.items }}", "body.data"),
        ("{{ list|map('upper') }}", "body.data"),
    ],
)
def test_data_that_does_not_fit_is_named(tmp_path: Path, text: str, path: str) -> None:
    data = {"null": None, "list": [1, None], "deep": {"a": [{"b": None}]}}
    for parts in (
        {"subject": "s", "txt": text},
        {"subject": "s", "html": text},
        {"subject": text, "txt": "t"},
    ):
        write(tmp_path, **{f"en__a__{part}": content for part, content in parts.items()})
        with pytest.raises(Invalid) as caught:
            render(tmp_path, "a", user={"name": "Ann", "null": None}, zero=0, **data)
        assert [each.path for each in caught.value.errors] == [path]


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("{{ x }}", True, "true"),
        ("{{ x }}", 17, "17"),
        ("{{ x }}", 2.5, "2.5"),
        ("{{ x }}", 10**30, str(10**30)),
        ("{{ x }}", [], ""),
        ("{{ x }}", ["a", 1, False, 2.5], "a, 1, false, 2.5"),
        ("{{ x ~ '!' }} {{ x|upper }} {{ '%s'|format(x) }}", ["a", "b"], "a, b! A, B a, b"),
        ("{{ x|join('/') }} {{ x[0] }} {{ x|length }}", ["a", "b"], "a/b a 2"),
        ("{{ x }}", {"a": [1, True], "b": {"c": "é"}}, '{"a":[1,true],"b":{"c":"é"}}'),
        ("{{ x }}", [["a"], ["b"]], '[["a"],["b"]]'),
        ("{{ x.a }} {{ x|dictsort }}", {"a": 1}, '1 [["a",1]]'),
        ("{{ x|tojson }}", {"a": [1]}, '{"a": [1]}'),
        ("{{ x ~ '' }} {{ '' ~ (1 == 2) ~ x }} {% set y = x ~ '!' %}{{ y }}", True, "true falsetrue true!"),
        ("{{ x|string }} {{ x|upper }} {{ x|e }} {{ '%s'|format(x) }}", True, "true TRUE true true"),
        (
            "{{ x|join('/') }} {{ x|map('string')|join }} {{ x[0] ~ 1 }}",
            [True, 1.5],
            "true/1.5 true1.5 true1",
        ),
        ("{{ x|join(', ', attribute='a') }}", [{"a": True}, {"a": "b"}], "true, b"),
        ("{{ '%.2f'|format(x) }} {{ x ~ '' }} {{ x is number }}", 2.5, "2.50 2.5 true"),
        ("{% if x is true %}{{ 'yes' ~ x }}{% endif %}", True, "yestrue"),
        ("{% if x is defined %}{{ x }}{% endif %}.", None, "."),
        ("{{ x|default('-') }}", None, "-"),
        ("{% for each in x %}{{ each.a|default('-') }}{% endfor %}", [{"a": 1}, {"a": None}], "1-"),
    ],
)
def test_data_is_written_for_people(tmp_path: Path, text: str, value: Any, written: str) -> None:
    write(tmp_path, en__a__subject=f"S{text}", en__a__txt=text)
    assert render(tmp_path, "a", x=value) == Rendered("en", f"S{written}", written, None)


def test_data_is_escaped_in_html_however_it_is_nested(tmp_path: Path) -> None:
    write(tmp_path, en__a__subject="s", en__a__html="{{ x }}{{ x[0] }}{{ {'x': x} }}")
    html = render(tmp_path, "a", x=["<b>"]).html
    assert html == "&lt;b&gt;&lt;b&gt;{&#34;x&#34;:[&#34;&lt;b&gt;&#34;]}"
    write(
        tmp_path, en__a__html="{{ x ~ '<' }}{{ x|join('<') }}{{ x|e }}{{ x[0]|safe ~ '<' }}{{ x[0]|upper }}"
    )
    html = render(tmp_path, "a", x=["<b>"]).html
    assert html == "&lt;b&gt;&lt;&lt;b&gt;&lt;b&gt;<b>&lt;&lt;B&gt;"


def test_data_nested_without_end_is_refused(tmp_path: Path) -> None:
    write(tmp_path, en__a__subject="s", en__a__txt="{{ x }}")
    deep: Any = "x"
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(Invalid):
        render(tmp_path, "a", x=deep)


@pytest.mark.parametrize(
    "text", [" two  spaces ", "\u00a0wide\u3000", "=?utf-8?q?a=0AX-Injected:_1?=", "<&>", "⭐⭐ ⭐"]
)
def test_a_subject_keeps_what_is_filled_in(tmp_path: Path, text: str) -> None:
    write(
        tmp_path,
        en__a__subject="{{ x }}\n",
        en__a__txt="t",
        en__b__subject="\n Hi\n  {{ x }}!\n\n",
        en__b__txt="t",
    )
    assert render(tmp_path, "a", x=text).subject == text
    assert render(tmp_path, "b", x=f"x{text}").subject == f"Hi x{text}!"


@pytest.mark.parametrize(
    "text", ["a\r\nBcc: b@example.com", "a\n", "\n", "a\x00", "a\u2028b", "a\x85b", "\t"]
)
def test_a_subject_takes_no_line_breaks(tmp_path: Path, text: str) -> None:
    write(tmp_path, en__a__subject="Hi {{ x }}", en__a__txt="t")
    for value in (text, ["a", text]):
        with pytest.raises(Invalid) as caught:
            render(tmp_path, "a", x=value)
        assert [each.path for each in caught.value.errors] == ["body.data"]


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
