"""What the fake has accepted: one message a personalization, rendered as the provider would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

_HREF = re.compile(r'(<a\b(?![^>]*clicktracking=off)[^>]*?href=")(https?://[^"]*)')
HELD_FOR_S = 72 * 3600
_LATE_S = 600  # a status set in the last ten minutes is not promised to be honoured


@dataclass(slots=True)
class Message:
    """One letter in the provider's hands. ``state``: queued, sent, cancelled, expired or lost."""

    request_id: str
    sg_message_id: str
    address: str
    custom_args: Mapping[str, str]
    categories: tuple[str, ...]
    mail: dict[str, Any] = field(repr=False)
    person: dict[str, Any] = field(repr=False)
    accepted_at: float
    send_at: float
    batch_id: str | None
    state: str = "queued"
    sent_at: float | None = None

    @property
    def subject(self) -> str:
        """The subject with its tags filled."""
        return self._filled(self.person.get("subject") or self.mail.get("subject") or "")

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the whole request, those of the person winning; tags do not work in them."""
        return {**self.mail.get("headers", {}), **self.person.get("headers", {})}

    def content(self, kind: str, *, subscription_tracking: bool = True) -> str | None:
        """The part of that type as sent, or None."""
        found = next((c["value"] for c in self.mail.get("content", []) if c["type"] == kind), None)
        if found is None:
            return None
        text = self._filled(found)
        if kind == "text/html" and self._tracks("click_tracking", default=True):
            text = _HREF.sub(r"\1https://track.sendgrid.example/ls/click?u=\2", text)
        if subscription_tracking and self._tracks("subscription_tracking", default=True):
            text += "\nUnsubscribe: https://track.sendgrid.example/wf/unsubscribe\n"
        return text

    def mime(self) -> EmailMessage:
        """The letter as the mailbox gets it."""
        message = EmailMessage(policy=SMTP.clone(max_line_length=998))
        sender = self.person.get("from") or self.mail["from"]
        message["From"] = Address(sender.get("name", ""), addr_spec=sender["email"])
        message["To"] = ", ".join(entry["email"] for entry in self.person["to"])
        message["Subject"] = self.subject
        headers = self.headers
        headers.setdefault("Message-ID", f"<{self.request_id}@geopod-ismtpd-0>")
        headers["X-Feedback-ID"] = "1:fake:fake:SG"
        if self._tracks("subscription_tracking", default=True):
            headers["List-Unsubscribe"] = "<https://track.sendgrid.example/wf/unsubscribe>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        if reply_to := self.mail.get("reply_to"):
            headers["Reply-To"] = self._filled(reply_to["email"])
        for name, value in headers.items():
            message[name] = value
        message.set_content(self.content("text/plain") or "", cte="quoted-printable")
        if (html := self.content("text/html")) is not None:
            message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message

    def _tracks(self, name: str, *, default: bool) -> bool:
        settings = self.mail.get("tracking_settings", {}).get(name, {})
        return bool(settings.get("enable", default))

    def _filled(self, text: str) -> str:
        """Literal replacement in one pass, longest tag first; no escaping, no rescan."""
        tags: Mapping[str, str] = self.person.get("substitutions", {})
        if not tags or str(self.mail.get("template_id", "")).startswith("d-"):
            return text
        anywhere = "|".join(re.escape(tag) for tag in sorted(tags, key=len, reverse=True))
        return re.sub(anywhere, lambda match: tags[match[0]], text)


@dataclass(slots=True)
class Batch:
    """A batch id, and whether its messages are to wait or to be thrown away."""

    created_at: float
    status: str | None = None
    status_at: float = 0.0

    def verdict(self, message: Message, now: float, *, late_cancel_ok: bool) -> str | None:
        """What becomes of a message due by now: sent, cancelled, expired, or None: it waits."""
        is_late = self.status_at > message.send_at - _LATE_S
        status = None if is_late and not late_cancel_ok else self.status
        if status == "cancel":
            return "cancelled"
        if status == "pause":
            return "expired" if now >= message.send_at + HELD_FOR_S else None
        return "sent"
