"""/api/mail: from a request to a message in an SMTP server, and everything that may come between."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote, urlencode

import pytest

from tests.support.cli import ogel, ogel_here
from tests.support.contract import all_pages, assert_problem
from tests.support.mail import PASSWORD, USER, MailServer
from tests.support.process import Client, eventually, free_port

SMTP_PORT = free_port()
ENVIRONMENT = {
    "SMTP_HOST": "127.0.0.1",
    "SMTP_PORT": str(SMTP_PORT),
    "SMTP_SECURE": "none",
    "SMTP_USERNAME": USER,
    "SMTP_PASSWORD": PASSWORD,
    "OGEL_MAIL_FROM": "Jörg, der Wirt <wirt@gasthaus.example.com>",
    "OGEL_MAIL_RETRY_DELAYS": "0.05,0.05",
    "OGEL_MAIL_TIMEOUT_SECONDS": "5",
}
WELCOME = {
    "template": "welcome",
    "data": {"app": "Gasthaus", "name": "Ann", "url": "https://example.com/?a=1&b=2"},
}


@pytest.fixture(scope="module", autouse=True)
def smtp() -> Iterator[MailServer]:
    with MailServer(SMTP_PORT, needs_login=True) as server:
        yield server


def send(api: Client, **mail: Any) -> Any:
    """The one message of it."""
    answer = api("POST", "/api/mail", mail)
    assert answer.status == 202, answer.raw
    assert set(answer.json) == {"items"}
    [message] = answer.json["items"]
    assert message["id"].startswith("msg_")
    assert set(message) == {"id", "to", "status"}
    return message


def in_status(api: Client, message: Any, status: str, seconds: float = 15.0) -> Any:
    path = f"/api/mail/{message['id']}"
    return eventually(
        lambda: (found := api.ok("GET", path))["status"] == status and found,
        seconds,
        f"{message} to be {status}",
    )


def test_a_template_arrives_in_text_and_html(api: Client, smtp: MailServer) -> None:
    api.ok("POST", "/api/webhooks", {"url": "http://127.0.0.1:1/", "events": ["mail.*"]})
    message = send(
        api, to="Ann Müller <Ann.M@Example.COM>", locale="de-AT", reply_to="help@example.com",
        headers={"X-Campaign": "first", "List-Unsubscribe": f"<https://example.com/{'u' * 200}>"}, **WELCOME,
    )  # fmt: skip
    assert (message["to"], message["status"]) == ("Ann Müller <Ann.M@example.com>", "queued")
    [mail] = smtp.wait_for("Ann.M@example.com")
    assert mail.sender == "wirt@gasthaus.example.com"
    assert mail.raw.isascii()
    parsed = mail.parsed
    assert parsed["from"].addresses[0].display_name == "Jörg, der Wirt"
    assert parsed["to"].addresses[0].display_name == "Ann Müller"
    assert parsed["reply-to"] == "help@example.com"
    assert parsed["subject"] == "Willkommen bei Gasthaus"
    assert parsed["message-id"] == f"<{message['id']}@gasthaus.example.com>"
    assert parsed["x-campaign"] == "first"
    assert f"List-Unsubscribe: <https://example.com/{'u' * 200}>".encode() in mail.raw
    text, html = (parsed.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and html is not None
    assert "dein Konto bei Gasthaus ist bereit" in text.get_content()
    assert "https://example.com/?a=1&b=2" in text.get_content()
    assert 'href="https://example.com/?a=1&amp;b=2"' in html.get_content()
    sent = in_status(api, message, "sent")
    assert (sent["template"], sent["locale"], sent["attempts"], sent["error"]) == ("welcome", "de", 1, None)
    assert (sent["provider"], sent["from"]) == ("smtp", '"Jörg, der Wirt" <wirt@gasthaus.example.com>')
    [attempt] = sent["log"]
    assert (attempt["provider"], attempt["error"]) == ("smtp", None)
    assert attempt["seconds"] >= 0 and attempt["started_at"]
    [event] = api.ok("GET", f"/api/events?subject={message['id']}")["items"]
    assert (event["type"], event["data"]["to"], event["deliveries"]) == ("mail.sent", message["to"], 1)


def test_each_of_many_gets_a_message_of_its_own(api: Client, smtp: MailServer) -> None:
    people = [f"person{n}@many.example.com" for n in range(50)]
    answer = api.ok("POST", "/api/mail", {"to": people, "subject": "Grüße 🎉", "text": "Hallo\nWelt"})
    assert [each["to"] for each in answer["items"]] == people
    for person in people:
        [mail] = smtp.wait_for(person)
        assert mail.parsed["to"] == person
        assert mail.parsed["subject"] == "Grüße 🎉"
        assert mail.parsed.get_content().splitlines() == ["Hallo", "Welt"]
    for message in answer["items"]:
        in_status(api, message, "sent")
    listed = all_pages(api, "/api/mail", 20, status="sent")
    assert {each["id"] for each in answer["items"]} <= {each["id"] for each in listed}
    [one] = api.ok("GET", f"/api/mail?{urlencode({'to': 'PERSON7@many.example.com'})}")["items"]
    assert one["to"] == "person7@many.example.com"
    assert_problem(
        api("POST", "/api/mail", {"to": [*people, "x@example.com"], "subject": "s", "text": "t"}), 422
    )


def test_the_same_key_sends_once_however_many_ask_at_once(api: Client, smtp: MailServer) -> None:
    mail = {"to": "once@example.com", "subject": "Once", "text": "once"}

    def ask(n: int) -> Any:
        # In the header or in the body, it is one key.
        if n % 2:
            return api("POST", "/api/mail", {**mail, "idempotency_key": "order-17"})
        return api("POST", "/api/mail", mail, headers={"Idempotency-Key": "order-17"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert {each.status for each in answers} == {202}
    assert len({each.raw for each in answers}) == 1
    message = answers[0].json["items"][0]
    in_status(api, message, "sent")
    assert ask(0).raw == answers[0].raw
    assert len(smtp.to("once@example.com")) == 1
    for other in ({**mail, "text": "twice"}, {**mail, "to": ["once@example.com"]}):
        refused = api("POST", "/api/mail", other, headers={"Idempotency-Key": "order-17"})
        assert_problem(refused, 409)
    both = api("POST", "/api/mail", {**mail, "idempotency_key": "a"}, headers={"Idempotency-Key": "b"})
    assert_problem(both, 422, "body.idempotency_key")
    for wrong in ("", "x" * 256, "a b", "é"):
        refused = api("POST", "/api/mail", mail, headers={"Idempotency-Key": wrong})
        assert_problem(refused, 422, "header.Idempotency-Key")


def test_a_hard_bounce_is_suppressed_until_somebody_says_otherwise(api: Client, smtp: MailServer) -> None:
    smtp.answers["nobody@example.com"] = ["550 5.1.1 No such user"]
    first = send(api, to="Nobody@example.com".replace("N", "n"), **WELCOME)
    failed = in_status(api, first, "failed")
    assert failed["attempts"] == 1
    assert failed["error"] == "smtp answered 550 (5.1.1 No such user)"
    [event] = api.ok("GET", f"/api/events?subject={first['id']}")["items"]
    assert (event["type"], event["data"]["error"]) == ("mail.failed", failed["error"])
    [job] = api.ok("GET", "/api/jobs?queue=mail&status=dead")["items"]
    assert job["payload"] == {"message": first["id"]}

    suppressions = api.ok("GET", "/api/mail/suppressions")["items"]
    [mine] = [each for each in suppressions if each["address"] == "nobody@example.com"]
    assert (mine["reason"], mine["message"]) == ("bounce", first["id"])
    second = send(api, to="NOBODY@EXAMPLE.com", subject="Again", text="again")
    assert second["status"] == "suppressed"
    retried = api("POST", f"/api/mail/{first['id']}/retry")
    assert (retried.status, retried.json["status"]) == (202, "queued")
    in_status(api, first, "suppressed")
    assert smtp.to("nobody@example.com") == []

    assert api("DELETE", f"/api/mail/suppressions/{quote('nobody@Example.com')}").status == 204
    assert_problem(api("DELETE", "/api/mail/suppressions/nobody@example.com"), 404)
    api.ok("POST", f"/api/mail/{second['id']}/retry")
    in_status(api, second, "sent")
    assert_problem(api("POST", f"/api/mail/{second['id']}/retry"), 409)
    actions = {each["action"] for each in api.ok("GET", "/api/audit-logs?limit=100")["items"]}
    assert {"mail.send", "mail.retry", "mail.unsuppress"} <= actions


def test_a_policy_is_no_bounce_and_a_later_time_may_do(api: Client, smtp: MailServer) -> None:
    smtp.answers["grey@example.com"] = ["450 4.7.1 Greylisted", "554 5.7.1 Relay access denied"]
    message = send(api, to="grey@example.com", **WELCOME)
    sent = in_status(api, message, "sent")
    assert [each["error"] and each["error"].split()[2] for each in sent["log"]] == ["450", "554", None]
    assert "grey@example.com" not in str(api.ok("GET", "/api/mail/suppressions"))


@pytest.mark.parametrize(
    "refused",
    [
        "550 SMTP AUTH is required for message submission on port 587",
        "550 relaying denied",
        "550 5.1.8 <ogel@example.com>: Sender address rejected: Domain not found",
        "550 Blocked: user-unknown@example.com",
        "550-Verification failed for <ogel@example.com>\r\n550-No Such User Here\r\n550 Sender verify failed",
        "450 5.1.1 User unknown",
        "552 5.2.2 Mailbox full",
        "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
    ],
)
def test_nobody_is_suppressed_for_what_is_wrong_with_us(api: Client, smtp: MailServer, refused: str) -> None:
    address = f"well{abs(hash(refused))}@example.com"
    smtp.answers[address] = [refused]
    message = in_status(api, send(api, to=address, **WELCOME), "sent")
    assert [bool(each["error"]) for each in message["log"]] == [True, False]
    assert address not in str(api.ok("GET", "/api/mail/suppressions?limit=100"))


@pytest.mark.parametrize("by", ["message", "job"])
def test_out_of_attempts_it_has_failed_until_it_is_retried(api: Client, smtp: MailServer, by: str) -> None:
    address = f"busy-{by}@example.com"
    smtp.answers[address] = ["451 4.3.0 Not now"] * 3
    message = send(api, to=address, **WELCOME)
    failed = in_status(api, message, "failed")
    assert (failed["attempts"], len(failed["log"]), failed["next_attempt_at"]) == (3, 3, None)
    jobs = api.ok("GET", "/api/jobs?queue=mail&status=dead")["items"]
    [job] = [job for job in jobs if job["payload"] == {"message": message["id"]}]
    api.ok("POST", f"/api/jobs/{job['id']}/retry" if by == "job" else f"/api/mail/{message['id']}/retry")
    sent = in_status(api, message, "sent")
    assert (sent["attempts"], sent["error"]) == (4, None)
    events = api.ok("GET", f"/api/events?subject={message['id']}")["items"]
    assert {each["type"] for each in events} == {"mail.failed", "mail.sent"}
    assert not [j for j in api.ok("GET", "/api/jobs?queue=mail")["items"] if j["id"] == job["id"]]


def test_a_discarded_job_leaves_a_failed_message(api: Client, smtp: MailServer) -> None:
    smtp.answers["dropped@example.com"] = ["451 4.3.0 Not now"] * 3
    message = send(api, to="dropped@example.com", **WELCOME)
    in_status(api, message, "failed")
    api.ok("DELETE", f"/api/jobs/job_{message['id'].removeprefix('msg_')}")
    api.ok("POST", f"/api/mail/{message['id']}/retry")
    in_status(api, message, "sent")


def test_addresses_beyond_ascii(api: Client, smtp: MailServer) -> None:
    message = send(api, to="Пётр <пётр@пример.рф>", subject="Привет " * 20, html="<p>мир</p>")
    assert message["to"] == "Пётр <пётр@xn--e1afmkfd.xn--p1ai>"
    in_status(api, message, "sent")
    [mail] = [each for each in smtp.mails if "пётр" in each.recipient]
    assert any(option.upper() == "SMTPUTF8" for option in mail.options)
    assert mail.parsed["subject"].split() == ["Привет"] * 20
    assert mail.parsed.get_content_type() == "text/html"


def test_templates_are_listed_with_their_languages(api: Client) -> None:
    templates = {each["name"]: each["locales"] for each in api.ok("GET", "/api/mail/templates")["items"]}
    for name in ("welcome", "verify_email", "reset_password", "magic_link", "invitation", "test"):
        assert {"en", "de"} <= set(templates[name])
        data = dict.fromkeys(("app", "url", "inviter", "team", "name"), "x<y")
        for locale in ("en", "de"):
            send(api, to=f"{name}-{locale}@example.com", template=name, locale=locale, data=data)


LONG = "x" * (512 * 1024 + 1)
PLAIN = {"to": "a@example.com", "subject": "S", "text": "T"}


@pytest.mark.parametrize(
    ("mail", "path"),
    [
        ({"subject": "S", "text": "T"}, "body.to"),
        ({**PLAIN, "to": []}, "body.to"),
        ({**PLAIN, "to": ["a@example.com", "A@Example.com"]}, "body.to[1]"),
        ({**PLAIN, "to": ["a@example.com", "nonsense"]}, "body.to[1]"),
        *(({**PLAIN, "to": wrong}, "body.to") for wrong in (
            "nonsense", "a@", "@example.com", "a@b", "a@-x.com", "a b@example.com", "a@example.com, b@example.com",
            "a@example.com\r\nBcc: b@example.com", "a@exa\x00mple.com", "A <a@example.com", "a@127.0.0.1",
            "a\u2028@example.com", "x" * 65 + "@example.com", "a@" + "x" * 64 + ".com", "a@example..com", "a..b@x.com",
            "<>@x.com", 7, None, "=?utf-8?q?a=40evil.example=2C?=@x.com", '"A <a@x.com>', "a" * 400 + "@example.com",
        )),
        ({**PLAIN, "from": "Evil\r\nBcc: x@y.com <a@example.com>"}, "body.from"),
        ({**PLAIN, "reply_to": "a@example.com\nX: y"}, "body.reply_to"),
        ({**PLAIN, "subject": "a\r\nBcc: b@example.com"}, "body.subject"),
        ({**PLAIN, "subject": "a\u2028b"}, "body.subject"),
        ({**PLAIN, "subject": "a\n"}, "body.subject"),
        ({**PLAIN, "subject": ""}, "body.subject"),
        ({**PLAIN, "subject": "x" * 501}, "body.subject"),
        ({**PLAIN, "text": "a\x00b"}, "body.text"),
        ({**PLAIN, "text": LONG}, "body.text"),
        ({**PLAIN, "html": "é" * (300 * 1024)}, "body.html"),
        ({"to": "a@example.com", "text": "T"}, "body.subject"),
        ({"to": "a@example.com", "subject": "S"}, "body.text"),
        ({**PLAIN, "data": {"a": 1}}, "body.data"),
        ({**PLAIN, "template": "welcome"}, "body.subject"),
        ({**PLAIN, "headers": {"Bcc": "b@example.com"}}, "body.headers"),
        ({**PLAIN, "headers": {"Subject": "x"}}, "body.headers"),
        ({**PLAIN, "headers": {"X-A\r\nBcc": "x"}}, "body.headers"),
        ({**PLAIN, "headers": {"X-A": "1\r\nBcc: b@example.com"}}, "body.headers.X-A"),
        ({**PLAIN, "headers": {"X-A": "é"}}, "body.headers.X-A"),
        ({**PLAIN, "headers": {"X-A": "a =?utf-8?q?a=0AX-Injected:_1?= b"}}, "body.headers.X-A"),
        ({**PLAIN, "headers": {"X-A": "=?ISO-8859-1*en?B?YQ?="}}, "body.headers.X-A"),
        ({**PLAIN, "headers": {"X-A": "1", "x-a": "2"}}, "body.headers.x-a"),
        ({**PLAIN, "headers": {f"X-{n}": "1" for n in range(21)}}, "body.headers"),
        ({**PLAIN, "idempotency_key": "a b"}, "body.idempotency_key"),
        ({**PLAIN, "cc": "b@example.com"}, "body.cc"),
        ({"to": "a@example.com", "template": "nothing"}, "body.template"),
        ({"to": "a@example.com", "template": "../en/welcome"}, "body.template"),
        ({"to": "a@example.com", "template": "welcome", "locale": "../de"}, "body.locale"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": "A"}}, "body.data.url"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": "A", "url": "\x00"}}, "body.data"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": "A\r\nBcc: b@x.com", "url": "u"}}, "body.data"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": None, "url": "u"}}, "body.data.app"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": ["A", None], "url": "u"}}, "body.data.app[1]"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": "x" * 600, "url": "u"}}, "body.data"),
        ({"to": "a@example.com", "template": "welcome", "data": {"app": "A", "url": "x" * 70_000}}, "body.data"),
    ],
    ids=lambda value: str(value)[:40].encode("unicode_escape").decode(),
)  # fmt: skip
def test_wrong_mail_is_refused_by_field(api: Client, mail: Any, path: str) -> None:
    assert_problem(api("POST", "/api/mail", mail), (413, 422), path)


LOOKALIKE = "=?utf-8?q?a=0AX-Injected:_1?="
LONG_NAME = "boss@bank.example.net, our accounts department, which has a name that is quite (long)"
WIDE = "order Bestellung ⭐⭐ ⭐⭐ wurde für für für"


@pytest.mark.parametrize("text", [LOOKALIKE, LONG_NAME, WIDE, "  a  b", "x" * 280, "é" * 140, 'a "b" \\ c'])
def test_text_arrives_in_headers_character_for_character(api: Client, smtp: MailServer, text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    to = f"{zlib.crc32(text.encode())}@text.example.com"
    send(
        api, to=f"{quoted} <{to}>", **{"from": f"{quoted} <s@b.de>"}, reply_to=f"{quoted} <r@b.de>", subject=text,
        text="T",
    )  # fmt: skip
    smtp.wait_for(to, 1)  # so that it is the first
    send(api, to=to, template="welcome", data={"app": text, "url": "u"})
    first, second = smtp.wait_for(to, 2)
    assert first.read.subject == text
    assert second.read.subject == f"Welcome to {text}"
    assert first.read.from_ is not None
    people = [first.read.from_, *first.read.to, *first.read.reply_to]
    assert [each.address for each in people] == ["s@b.de", to, "r@b.de"]
    assert {(each.display_name or "").strip() for each in people} == {text.strip()}
    for mail in (first, second):
        assert not {"X-Injected", "Bcc"} & set(mail.read.headers)


def test_a_domain_is_not_taken_for_another(api: Client, smtp: MailServer) -> None:
    added = api("POST", "/api/mail/suppressions", {"address": "Ann@straße。example"})
    assert (added.status, added.json["address"]) == (201, "ann@xn--strae-oqa.example")
    for to in ("ann@STRAẞE.example", "ann@XN--strae-oqa.Example."):
        message = send(api, to=to, subject="S", text="T")
        assert (message["status"], message["to"]) == ("suppressed", "ann@xn--strae-oqa.example")
    in_status(api, send(api, to="ann@strasse.example", subject="S", text="T"), "sent")
    in_status(api, send(api, to="bob@straße.example", subject="S", text="T"), "sent")
    assert {mail.recipient for mail in smtp.mails} >= {"ann@strasse.example", "bob@xn--strae-oqa.example"}
    assert not any(mail.recipient == "ann@xn--strae-oqa.example" for mail in smtp.mails)
    for domain in ("\U0001f4a9.la", "xn---bbk.example", "\uff11\uff12\uff17.0.0.1"):
        refused = api("POST", "/api/mail", {"to": f"ann@{domain}", "subject": "S", "text": "T"})
        assert_problem(refused, 422, "body.to")


def test_other_keys_and_ids_are_refused(api: Client) -> None:
    assert_problem(api("GET", "/api/mail/msg_nothing"), 404)
    assert_problem(api("POST", "/api/mail/msg_nothing/retry"), 404)
    assert_problem(api("POST", "/api/mail", PLAIN, key="x" * 30), 401)
    assert_problem(api("POST", "/api/mail/suppressions", {"address": "x"}), 422, "body.address")
    assert_problem(api("DELETE", "/api/mail/suppressions/nonsense"), 422, "path.address")
    odd = "sales/eu+%2F@customer.example"
    api.ok("POST", "/api/mail/suppressions", {"address": odd})
    assert_problem(api("DELETE", "/api/mail/suppressions/sales/eu+%2F@customer.example"), 404)
    assert api("DELETE", f"/api/mail/suppressions/{quote(odd, safe='@')}").status == 204
    added = api("POST", "/api/mail/suppressions", {"address": "Out@example.com", "reason": "unsubscribe"})
    assert (added.status, added.json["address"], added.json["reason"]) == (
        201,
        "out@example.com",
        "unsubscribe",
    )
    again = api("POST", "/api/mail/suppressions", {"address": "out@example.com", "reason": "manual"})
    assert again.json == added.json
    pages = all_pages(api, "/api/mail/suppressions", 1)
    assert [each["address"] for each in pages] == sorted(each["address"] for each in pages)


def test_the_command_line_sends_and_shows(
    api: Client, smtp: MailServer, suite_servers: dict[str, str], tmp_path: Path
) -> None:
    def run(*arguments: str) -> Any:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here("mail", *arguments, **suite_servers, **ENVIRONMENT)

    # Once as a process of its own, whose end counts too.
    tested = ogel("mail", "test", "operator@example.com", "--locale", "de", **suite_servers, **ENVIRONMENT)
    assert tested.code == 0, tested.err
    assert ": took it" in tested.out and " sent\n" in tested.out
    [mail] = smtp.wait_for("operator@example.com")
    assert mail.parsed["subject"] == "E-Mail von Ogel funktioniert"
    smtp.answers["gone@example.com"] = ["550 5.1.1 gone"]
    failed = run("test", "gone@example.com", "--json")
    assert failed.code == 1
    message = json.loads(failed.out)
    assert (message["status"], len(message["log"])) == ("failed", 1)
    listed = json.loads(run("list", "--to", "gone@example.com", "--json").out)
    assert [each["id"] for each in listed["items"]] == [message["id"]]
    assert "gone@example.com" in run("list").out
    assert "550 (5.1.1 gone)" in run("show", message["id"]).out
    for wrong, said in (
        (("test", "nonsense"), "Error: ADDRESS: "),
        (("test", "a@example.com", "--locale", "../x"), "Error: --locale: "),
        (("list", "--to", "x"), "ogel: --to: "),
    ):
        refused = run(*wrong)
        assert refused.code == 2
        assert refused.err.splitlines()[-1].startswith(said)
    assert run("show", "msg_nothing").code == 1


def test_the_command_line_lists_lifts_and_adds_suppressions(
    api: Client, smtp: MailServer, suite_servers: dict[str, str]
) -> None:
    def run(*arguments: str) -> Any:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):
            return ogel_here("mail", "suppressions", *arguments, **suite_servers, **ENVIRONMENT)

    smtp.answers["gone/eu@example.com"] = ["550 5.1.1 No such user"]
    bounced = send(api, to="gone/eu@example.com", **WELCOME)
    in_status(api, bounced, "failed")
    added = run("add", "Asked@Example.com", "--reason", "unsubscribe", "--detail", "by phone")
    assert (added.code, added.out) == (0, "asked@example.com is suppressed: unsubscribe\n")
    assert json.loads(run("add", "asked@example.com", "--json").out)["reason"] == "unsubscribe"
    for wrong, option in (
        (("add", "nobody"), "ADDRESS"),
        (("add", "a@example.com", "--detail", "x" * 501), "--detail"),
        (("remove", "nobody"), "ADDRESS"),
    ):
        refused = run(*wrong)
        assert (refused.code, refused.out) == (2, "")
        assert f"Error: {option}: " in refused.err

    listed = json.loads(run("list", "--json", "--limit", "1000").out)["items"]
    mine = {each["address"]: each for each in listed}
    assert (mine["gone/eu@example.com"]["message"], mine["asked@example.com"]["detail"]) == (
        bounced["id"],
        "by phone",
    )
    [first] = json.loads(run("list", "--json", "--limit", "1", "--after", "ASKED@example.com").out)["items"]
    assert first["address"] > "asked@example.com"
    table = run("list").out
    assert "ADDRESS" in table and "smtp answered 550 (5.1.1 No such user)" in table

    lifted = run("remove", "Gone/EU@example.com", "asked@example.com")
    assert lifted.out == "Gone/EU@example.com is sent to again\nasked@example.com is sent to again\n"
    again = run("remove", "asked@example.com")
    assert (again.code, again.err) == (1, "ogel: 'asked@example.com' is not suppressed.\n")
    in_status(api, send(api, to="gone/eu@example.com", **WELCOME), "sent")
    [last, *_] = api.ok("GET", "/api/audit-logs?action=mail.unsuppress&limit=1")["items"]
    assert last["actor"].startswith("cli:")


def test_nothing_of_it_was_an_error_of_ours(suite: Any) -> None:
    """Last in this file: the log of everything above."""
    lines = suite.log_text().splitlines()
    assert [line for line in lines if '"http.error"' in line or "Traceback" in line] == []
