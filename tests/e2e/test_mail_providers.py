"""Providers of mail in turn: Resend before an SMTP server, breakers, a worker that is killed, and files."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import ogel_here
from tests.support.mail import PASSWORD, USER, Mail, MailServer, Resend, refusal
from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Answer

FROM = "Ogel <ogel@example.com>"
PLAIN = {"subject": "Grüße", "text": "Hallo", "html": "<p>Hallo</p>"}


@pytest.fixture
def resend() -> Iterator[Resend]:
    with Resend() as resend:
        yield resend


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with MailServer(needs_login=True) as smtp:
        yield smtp


def environment(servers: dict[str, str], resend: Resend, smtp: MailServer, **more: str) -> dict[str, str]:
    return {
        **servers,
        "OGEL_MAIL_PROVIDERS": "resend,smtp",
        "RESEND_API_KEY": Resend.KEY,
        "RESEND_BASE_URL": resend.url,
        "SMTP_URL": f"smtp+plain://{USER}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}@127.0.0.1:{smtp.port}",
        "OGEL_MAIL_FROM": FROM,
        "OGEL_MAIL_RETRY_DELAYS": "0.1,0.1",
        "OGEL_MAIL_TIMEOUT_SECONDS": "1.5",
        **more,
    }


def send(api: Client, to: str, **mail: Any) -> str:
    [message] = api.ok("POST", "/api/mail", {"to": to, **PLAIN, **mail})["items"]
    id: str = message["id"]
    return id


def over(api: Client, id: str, seconds: float = 20.0) -> Any:
    return eventually(
        lambda: (found := api.ok("GET", f"/api/mail/{id}"))["status"] != "queued" and found,
        seconds,
        f"{id} to be over",
    )


def asked(message: Any) -> list[tuple[str, str | None]]:
    return [(each["provider"], each["error"] and each["error"].split(" (")[0]) for each in message["log"]]


def test_resend_first_then_the_other_then_only_the_other(
    suite_servers: dict[str, str], resend: Resend, smtp: MailServer, tmp_path: Path
) -> None:
    settings = environment(suite_servers, resend, smtp)
    with Ogel("api", "--with", "worker", log=tmp_path / "log", **settings) as ogel:
        api = ogel.api
        id = send(api, "Ann Müller <ann@example.com>", reply_to="help@example.com", headers={"X-A": "1"})
        sent = over(api, id)
        assert (sent["status"], sent["provider"], sent["provider_id"]) == ("sent", "resend", "49a3999c-0000")
        [request] = resend.to("ann@example.com")
        assert request.path == "/emails"
        assert request.headers["authorization"] == f"Bearer {Resend.KEY}"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["idempotency-key"] == id
        assert json.loads(request.body) == {
            "from": FROM,
            "to": ["Ann Müller <ann@example.com>"],
            "subject": "Grüße",
            "text": "Hallo",
            "html": "<p>Hallo</p>",
            "reply_to": "help@example.com",
            "headers": {"Message-ID": f"<{id}@example.com>", "X-A": "1"},
        }

        # What it says of our key is shown to nobody.
        said = f"{Resend.KEY}, Bearer%20{Resend.KEY.replace('_', '%5F')}, {b64encode(Resend.KEY.encode()).decode()}"
        resend.answers["echo@example.com"] = [refusal(422, "validation_error", said)]
        echoed = send(api, "echo@example.com")
        assert over(api, echoed)["error"] == "resend answered 422 (validation_error: ****, Bearer ****, ****)"
        everything = [
            api.ok("GET", f"/api/mail/{echoed}"),
            api.ok("GET", "/api/mail"),
            api.ok("GET", "/api/jobs?queue=mail&status=dead"),
            api.ok("GET", f"/api/events?subject={echoed}"),
        ]
        for secret in (Resend.KEY, said.rpartition(" ")[2], Resend.KEY.removeprefix("re_")):
            assert secret not in json.dumps(everything) + (tmp_path / "log").read_text()

        # What Resend refuses for good is offered to nobody else.
        resend.answers["wrong@example.com"] = [refusal(422, "validation_error", "Invalid `to` field")]
        failed = over(api, send(api, "wrong@example.com"))
        assert (failed["status"], asked(failed)) == ("failed", [("resend", "resend answered 422")])
        assert failed["error"] == "resend answered 422 (validation_error: Invalid `to` field)"
        assert "wrong@example.com" not in str(api.ok("GET", "/api/mail/suppressions"))

        # Of nobody but this sender; then silence; then too much at once: the other one takes it.
        resend.answers["domain@example.com"] = [
            refusal(403, "validation_error", "The domain is not verified")
        ]
        assert asked(over(api, send(api, "domain@example.com"))) == [
            ("resend", "resend answered 403"),
            ("smtp", None),
        ]
        resend.answers["slow@example.com"] = [Answer(200, b"{}", after_seconds=10)]
        [first, second] = over(api, send(api, "slow@example.com"))["log"]
        assert "timeout" in first["error"] or "1.5 s" in first["error"] or "in time" in first["error"]
        assert (second["provider"], second["error"]) == ("smtp", None)
        [mail] = smtp.to("slow@example.com")
        assert mail.parsed["message-id"].startswith("<msg_")

        # Five failures in a row, and it is left alone.
        for n in range(4):
            resend.answers[f"down{n}@example.com"] = [refusal(500, "internal_server_error", "An error")]
            down = over(api, send(api, f"down{n}@example.com"))
            assert asked(down) == [("resend", "resend answered 500"), ("smtp", None)]
        assert asked(over(api, send(api, "after@example.com"))) == [("smtp", None)]
        metrics = api("GET", "/metrics").raw.decode()
        assert 'ogel_provider_breaker_open{provider="resend",what="mail"} 1.0' in metrics


QUOTA = "5.4.5 Daily user sending limit exceeded. For more information on Gmail"


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("resend", "resend answered 403 (invalid_api_key: API key is invalid)"),
        ("smtp", f"smtp answered 550 ({QUOTA} 5.4.5 sending limits go to 5.4.5 gsmtp)"),
    ],
)
def test_a_wrong_key_or_a_spent_quota_costs_no_attempt_and_is_said(
    suite_servers: dict[str, str], resend: Resend, smtp: MailServer, tmp_path: Path, provider: str, said: str
) -> None:
    settings = environment(
        suite_servers, resend, smtp, OGEL_MAIL_PROVIDERS=provider, RESEND_API_KEY="re_wrong"
    )
    smtp.data_answers["ann@example.com"] = [
        f"550-{QUOTA}\r\n550-5.4.5 sending limits go to\r\n550 5.4.5 gsmtp"
    ]
    with Ogel("api", "--with", "worker", log=tmp_path / "log", **settings) as ogel:
        api = ogel.api
        id = send(api, "ann@example.com")
        waiting = eventually(lambda: (m := api.ok("GET", f"/api/mail/{id}"))["log"] and m, 15, "an attempt")
        assert (waiting["status"], waiting["error"]) == ("queued", said)
        assert waiting["next_attempt_at"] > waiting["created_at"]
        job = api.ok("GET", f"/api/jobs/job_{id.removeprefix('msg_')}")
        assert (job["status"], job["attempts"]) == ("pending", 0)
        # Nobody is asked while the breaker is open.
        other = send(api, "bob@example.com")
        told = eventually(lambda: (m := api.ok("GET", f"/api/mail/{other}"))["error"] and m, 15, "a reason")
        assert (told["log"], told["attempts"]) == ([], 0)
        assert "left alone" in told["error"]
    settings["RESEND_API_KEY"] = Resend.KEY
    with Ogel("api", "--with", "worker", log=tmp_path / "log", **settings) as ogel:
        for each in (id, other):
            ogel.api.ok("POST", f"/api/mail/{each}/retry")
            assert over(ogel.api, each)["status"] == "sent"


def test_a_worker_killed_between_sending_and_saying_so(
    suite_servers: dict[str, str], resend: Resend, smtp: MailServer, tmp_path: Path
) -> None:
    settings = environment(
        suite_servers, resend, smtp, OGEL_LEASE_SECONDS="1", OGEL_MAIL_TIMEOUT_SECONDS="30"
    )
    let_go = threading.Event()
    killed = Ogel("worker", "mail", log=tmp_path / "killed", **settings)

    def kill_before_the_answer(_: Mail) -> None:
        if not let_go.is_set():
            killed.kill()
            let_go.set()

    smtp.hold = kill_before_the_answer
    with Ogel("api", log=tmp_path / "api", **settings) as ogel:
        api = ogel.api
        resend.answers["ann@example.com"] = [refusal(500, "application_error", "An error")] * 2
        killed.start()
        id = send(api, "ann@example.com")
        assert let_go.wait(20)
        with Ogel("worker", "mail", log=tmp_path / "second", **settings):
            sent = over(api, id, 30)
        assert (sent["status"], sent["attempts"]) == ("sent", 3)
        lost, refused, taken = sent["log"]
        assert (lost["provider"], lost["seconds"]) == (None, None)
        assert "disappeared" in lost["error"]
        assert (refused["provider"], taken["provider"]) == ("resend", "smtp")
        mails = smtp.to("ann@example.com")
        assert len(mails) == 2
        # Received headers aside, one and the same.
        assert mails[0].raw == mails[1].raw
        assert mails[0].parsed["message-id"] == f"<{id}@example.com>"
        requests = resend.to("ann@example.com")
        assert [each.headers["idempotency-key"] for each in requests] == [id] * 2
        assert requests[0].body == requests[1].body


def test_the_outbox_writes_files_that_can_be_read(
    suite_servers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "templates"
    (own / "en").mkdir(parents=True)
    (own / "en" / "welcome.subject.jinja").write_text("Our own: {{ app }}")
    (own / "en" / "welcome.txt.jinja").write_text("For {{ who }}\n")
    (own / "en" / "broken.subject.jinja").write_text("{% if %}")
    settings = {
        **suite_servers,
        "OGEL_MAIL_PROVIDERS": "outbox",
        "OGEL_DATA_DIR": str(tmp_path / "data"),
        "OGEL_MAIL_TEMPLATES": str(own),
    }
    with Ogel("api", "--with", "worker", log=tmp_path / "log", **settings) as ogel:
        api = ogel.api
        assert (
            api("POST", "/api/mail", {"to": "a@example.com", **PLAIN}).json["errors"][0]["path"]
            == "body.from"
        )
        mail: dict[str, Any] = {"to": "ann@example.com", "from": FROM, "template": "welcome"}
        refused = api("POST", "/api/mail", {**mail, "data": {"app": "A"}})
        assert refused.json["errors"] == [{"path": "body.data.who", "message": "is needed by the template"}]
        assert api("POST", "/api/mail", {**mail, "template": "broken"}).status == 503
        [message] = api.ok("POST", "/api/mail", {**mail, "data": {"app": "A", "who": "<you>"}})["items"]
        assert over(api, message["id"])["provider"] == "outbox"
        path = tmp_path / "data" / "outbox" / f"{message['id']}.eml"
        parsed = message_from_bytes(path.read_bytes(), policy=default)
        assert (parsed["subject"], parsed["to"]) == ("Our own: A", "ann@example.com")
        assert parsed.get_content().strip() == "For <you>"
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        # Whoever asks on this machine is told where it is; elsewhere, its name.
        monkeypatch.setattr(
            "ogel.runtime.log.setup.configure_logging", lambda *_: None
        )  # it is for processes
        tested = ogel_here("mail", "test", "Ann@example.com", OGEL_MAIL_FROM=FROM, **settings)
        assert tested.code == 0, tested.err
        [line] = [each for each in tested.out.splitlines() if each.startswith("it is in ")]
        assert message_from_bytes(Path(line.removeprefix("it is in ")).read_bytes(), policy=default)[
            "to"
        ] == ("Ann@example.com")
        settings["OGEL_DATA_DIR"] = str(tmp_path / "elsewhere")
        shown = ogel_here("mail", "show", message["id"], **settings)
        assert f"file         {message['id']}.eml, in the outbox of the worker's OGEL_DATA_DIR" in shown.out
        # The German one is still ours.
        [german] = api.ok("POST", "/api/mail", {**mail, "locale": "de", "data": {"app": "A", "url": "u"}})[
            "items"
        ]
        assert over(api, german["id"])["subject"] == "Willkommen bei A"
