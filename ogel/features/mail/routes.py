"""/api/mail: sending, looking up and retrying messages, and listing templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.mail.message import (
    AcceptedMail,
    AddressText,
    MailMessage,
    MailMessageWithAttempts,
    MailStatus,
    NewMail,
)
from ogel.features.mail.service import MailService
from ogel.features.mail.templating import TemplateInfo, Templates
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route


class MailQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: MailStatus | None = None
    to: AddressText | None = None


# Text, HTML and data at their size limits, with room for JSON escapes.
MOST_BODY_BYTES = 4 * 1024 * 1024


class MailRoutes:
    def __init__(self, service: MailService, templates: Templates) -> None:
        self._service = service
        self._templates = templates

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "mail:read", "read"), Access("key", "mail:write", "write")
        publish = Access("key", "mail:write", "publish")
        return [
            Route("POST", "/api/mail", self._send, publish.audited("mail.send").taking(MOST_BODY_BYTES),
                  "Send mail to up to 50 recipients", body=NewMail, returns=AcceptedMail, status=202,
                  idempotent=True),
            Route("GET", "/api/mail", self._list, read, "List messages, newest first",
                  query=MailQuery, returns=Page[MailMessage]),
            Route("GET", "/api/mail/templates", self._list_templates, read, "Templates and their languages",
                  returns=Page[TemplateInfo]),
            Route("GET", "/api/mail/{id}", self._get, read, "One message with its attempts",
                  returns=MailMessageWithAttempts),
            Route("POST", "/api/mail/{id}/retry", self._retry, write.audited("mail.retry"),
                  "Send again, now, what was not sent", returns=MailMessage, status=202),
        ]  # fmt: skip

    async def _send(self, call: Call[NewMail, Any]) -> AcceptedMail:
        return await self._service.send(call.caller, call.body, call.idempotency_key)

    async def _list(self, call: Call[Any, MailQuery]) -> Page[MailMessage]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda message: message.id)

    async def _list_templates(self, call: Call[Any, Any]) -> Page[TemplateInfo]:
        return Page(list(await self._templates.list()), None)

    async def _get(self, call: Call[Any, Any]) -> MailMessageWithAttempts:
        return await self._service.get(call.path["id"])

    async def _retry(self, call: Call[Any, Any]) -> MailMessage:
        return await self._service.retry(call.caller, call.path["id"])
