"""Links of mail that show a page first, so that what opens them for safety does not use them up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urlencode, urlsplit

from tests.support.mailed import Mailed
from tests.support.process import Response
from tests.support.world import World

ENVIRONMENT = {
    "OGEL_SITE_URL": "https://app.example.com",
    "OGEL_MAIL_FROM": "shop@example.com",
    "OGEL_MAIL_PROVIDERS": "outbox",
    "OGEL_AUTH_LINK_PAGE": "on",
    "OGEL_RATE_SIGN_IN": "off",
}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def fields_of(page: str) -> Mapping[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {unescape(name): unescape(value) for name, value in found}


def press(api: World, fields: Mapping[str, str]) -> Response:
    return api("POST", "/auth/v1/verify/link", raw=urlencode(fields).encode(), key="", headers=FORM)


def test_a_link_is_opened_as_often_as_one_likes_and_used_by_its_button_once(api: World) -> None:
    mailed = Mailed(api)
    assert api("POST", "/auth/v1/otp", {"email": "scanned@example.com"}, key="").status == 200
    link = f"/auth/v1/verify?{urlsplit(mailed.one().url).query}"
    pages = [api("GET", link, key="", headers={"accept-language": "de-AT"}) for _ in range(3)]
    assert {page.status for page in pages} == {200}
    page = pages[0].raw.decode()
    assert 'lang="de"' in page and 'action="verify/link"' in page and 'method="post"' in page
    assert "form-action" not in pages[0].headers["content-security-policy"]
    assert api("HEAD", link, key="").status == 405
    used = press(api, fields_of(page))
    assert used.status == 303
    assert used.headers["location"].startswith("https://app.example.com#access_token=")
    again = press(api, fields_of(page))
    assert (again.status, "otp_expired" in again.headers["location"]) == (303, True)


def test_what_stands_in_a_link_stays_text_on_the_page(api: World) -> None:
    attack = '"><script>alert(1)</script>'
    query = urlencode({"token": attack, "type": attack, "redirect_to": attack})
    page = api("GET", f"/auth/v1/verify?{query}", key="").raw.decode()
    assert "<script" not in page
    assert fields_of(page) == {"token": attack, "type": attack, "redirect_to": attack}
    assert press(api, fields_of(page)).headers["location"].startswith("https://app.example.com#error=")
