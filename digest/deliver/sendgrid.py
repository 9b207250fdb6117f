"""The SendGrid sender: one request a batch, one letter a reader, and an honest outcome.

At most one request of a batch is ever accepted: a refused one is mended in trial mode (SendGrid's sandbox,
which mails nobody) until it names or reveals the addresses at fault, then goes once more without them. So
an outcome speaks for the whole batch. Nothing goes again after a doubtful answer: SendGrid has no idempotency
key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import orjson

from digest.deliver.message import unusable
from digest.deliver.sendgrid_body import request_body
from digest.deliver.transport import Answer, NotSentError, Transport, UnansweredError
from digest.errors import RenderError, SettingsError
from digest.links import without_addresses
from digest.model import HandedOver, InDoubt, Outcome, Outgoing, Recipient, Refused

SEND_PATH = "/v3/mail/send"
_KEY = re.compile(r"[!-~]+")
_PERSON = re.compile(r"personalizations\.(\d+)(?:\.(?:to|cc|bcc)\b.*)?")
_OF_ALL = ("from", "reply_to")  # what all letters say alike
_OUT_OF_CREDITS = "maximum credits exceeded"
_FEW = 10  # where all of more readers are called bad, it is hardly their addresses
_LONGEST_WAIT = timedelta(days=1)
_MAX_TRIALS = 400  # requests that the search for bad addresses in one batch may cost
# What only an operator can mend: going on would be refused letter by letter.
_PAUSING = {
    401: "SendGrid does not accept the key: check sendgrid.api_key",
    403: "SendGrid forbids it: verify the sender identity and give the key the right mail.send",
    404: "this is not the mail/send address: check sendgrid.base_url",
    405: "this is not the mail/send address: check sendgrid.base_url",
    415: "this server does not take JSON: check sendgrid.base_url",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of an answer: ``field`` is the path of what is wrong, "" where SendGrid names none."""

    message: str
    field: str


class SendGrid:
    """Sender over the Web API v3. Threads may share one.

    Raises: SettingsError when the key is missing or could not stand in a header; it is never shown.
    """

    name = "sendgrid"
    is_repeatable = False

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "https://api.sendgrid.com",
        batch_size: int = 500,
        connect_timeout_s: float = 10.0,
        read_timeout_s: float = 60.0,
    ) -> None:
        self.batch_size = batch_size
        self._transport = transport_of(
            api_key, base_url=base_url, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s
        )

    def __repr__(self) -> str:
        return f"SendGrid({self._transport.base_url})"

    def send(self, outgoing: Outgoing) -> Outcome:
        """Hand the batch over; ``bad`` names the readers whose address the provider will not take."""
        bad = unusable(outgoing.recipients)
        try:
            return self._send_good(outgoing, bad)
        except NotSentError as error:
            return Refused(str(error), is_final=False, slows_all=True)
        except UnansweredError as error:
            return InDoubt(str(error), bad=bad)
        except RenderError as error:
            return Refused(str(error), is_final=False, pauses_run=True)

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def _send_good(self, outgoing: Outgoing, bad: dict[int, str]) -> Outcome:
        """Send to all who are not known to be bad; a complaint about persons adds to those, and again."""
        good = outgoing.recipients
        for round_number in range(3):
            if bad:
                good = [r for r in good if r.subscriber_id not in bad]
            if not good:
                return HandedOver(bad=bad)
            answer = self._post(outgoing, good)
            if answer.status != 400:
                return outcome_of(answer, bad, sent_at=outgoing.sent_at)
            found = self._faults(outgoing, good, answer, may_search=round_number < 2)
            if isinstance(found, Refused):
                return found
            bad |= found
        return Refused(f"SendGrid complains again and again: {_words(complaints_of(answer))}")

    def _post(self, outgoing: Outgoing, recipients: Sequence[Recipient], *, is_trial: bool = False) -> Answer:
        body = request_body(outgoing, recipients, is_trial=is_trial)
        return self._transport.request("POST", SEND_PATH, body, {"Content-Type": "application/json"})

    def _faults(
        self, outgoing: Outgoing, good: Sequence[Recipient], answer: Answer, *, may_search: bool
    ) -> dict[int, str] | Refused:
        """Who is at fault for a 400 (subscriber id -> why), or the refusal of all."""
        complaints = complaints_of(answer)
        named = faults_named(complaints, good)
        if named and (len(named) < len(good) or len(good) <= _FEW):
            return named
        if any(c.field.partition(".")[0] in _OF_ALL for c in complaints):
            why = f"SendGrid refuses the sender: {_words(complaints)}; mend publication.from or reply_to"
            return Refused(why, is_final=False, pauses_run=True)
        if any(c.field and not _PERSON.fullmatch(c.field) for c in complaints):
            return Refused(f"SendGrid refuses the letter: {_words(complaints)}")
        if named or len(good) == 1 or not may_search:
            return Refused(f"SendGrid refuses the batch: {_words(complaints)}", pauses_run=len(named) > _FEW)
        return self._search(outgoing, good)

    def _search(self, outgoing: Outgoing, good: Sequence[Recipient]) -> dict[int, str] | Refused:
        """Halve in trial mode, mailing nobody, until each fault stands alone."""
        found: dict[int, str] = {}
        parts = [good[: len(good) // 2], good[len(good) // 2 :]]
        for _ in range(_MAX_TRIALS):
            if not parts:
                break
            part = parts.pop()
            answer = self._trial(outgoing, part)
            if isinstance(answer, Refused):
                return answer
            if answer.status == 200:
                continue
            if len(part) == 1:
                found[part[0].subscriber_id] = _words(complaints_of(answer))
            else:
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]
        if parts or len(found) == len(good):
            return Refused("SendGrid refuses this letter to anyone: look at it with `digest preview`")
        return found

    def _trial(self, outgoing: Outgoing, part: Sequence[Recipient]) -> Answer | Refused:
        try:
            answer = self._post(outgoing, part, is_trial=True)
        except UnansweredError as error:
            return Refused(str(error), is_final=False)  # a trial mails nobody: no doubt
        if answer.status in (200, 400):
            return answer
        refused = outcome_of(answer, {}, sent_at=outgoing.sent_at)
        return refused if isinstance(refused, Refused) else Refused(_said(answer), is_final=False)


def transport_of(
    api_key: str, *, base_url: str, connect_timeout_s: float, read_timeout_s: float
) -> Transport:
    """Connections that carry the key. Raises: SettingsError when it is empty or has strange characters."""
    if not _KEY.fullmatch(api_key):
        raise SettingsError("sendgrid.api_key is missing or has spaces in it: copy it again from SendGrid")
    return Transport(
        base_url,
        connect_timeout_s=connect_timeout_s,
        read_timeout_s=read_timeout_s,
        secret_headers={"Authorization": f"Bearer {api_key}"},
    )


def outcome_of(answer: Answer, bad: dict[int, str], *, sent_at: datetime) -> Outcome:
    """What an answer to mail/send other than 400 means (contracts: sendgrid, 1, statuses and retry table).

    ``sent_at``: when it was asked, by our clock.
    """
    status = answer.status
    if status == 202:
        return HandedOver(answer.headers.get("x-message-id"), bad)
    if status == 401 and any(_OUT_OF_CREDITS in c.message.lower() for c in complaints_of(answer)):
        why = "SendGrid: the account's credits are used up; buy more or wait for the next period"
        return Refused(why, is_final=False, pauses_run=True)
    if status in _PAUSING:
        return Refused(f"{_PAUSING[status]} ({_said(answer)})", is_final=False, pauses_run=True)
    if status == 429:
        why = f"SendGrid asks to slow down ({_said(answer)})"
        wait = wait_of(answer)
        retry_at = None if wait is None else sent_at + wait
        return Refused(why, is_final=False, retry_at=retry_at, slows_all=True)
    if 300 <= status < 400:
        why = f"{status}: redirected to {answer.headers.get('location', 'nowhere')}; check sendgrid.base_url"
        return Refused(why, is_final=False, pauses_run=True)
    if 400 <= status < 500 and status != 408:
        return Refused(f"SendGrid refuses the letter ({_said(answer)})")
    return InDoubt(f"SendGrid answered {_said(answer)}", answer.headers.get("x-message-id"), bad)


def wait_of(answer: Answer) -> timedelta | None:
    """How long to stay away: Retry-After (seconds or a date) if given, else X-RateLimit-Reset (unix seconds).

    Instants are the provider's, and so is the clock that they are compared with: ours need not be right.
    """
    after, reset = answer.headers.get("retry-after", ""), answer.headers.get("x-ratelimit-reset", "")
    try:
        if after.isdigit():
            wait = timedelta(seconds=int(after))
        elif after or reset.isdigit():
            until = parsedate_to_datetime(after) if after else datetime.fromtimestamp(int(reset), UTC)
            wait = until.astimezone(UTC) - _date_of(answer)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)


def complaints_of(answer: Answer) -> tuple[Complaint, ...]:
    """The errors in an answer; empty when its body is not the JSON that was promised."""
    try:
        errors = orjson.loads(answer.body)["errors"]
        return tuple(Complaint(str(e.get("message") or ""), str(e.get("field") or "")) for e in errors)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ()


def faults_named(complaints: Sequence[Complaint], recipients: Sequence[Recipient]) -> dict[int, str]:
    """Subscriber id -> why, for complaints about the address of one person of the request."""
    found: dict[int, str] = {}
    for complaint in complaints:
        match = _PERSON.fullmatch(complaint.field)
        if match and int(match[1]) < len(recipients):
            found[recipients[int(match[1])].subscriber_id] = _words([complaint])
    return found


def _date_of(answer: Answer) -> datetime:
    """The provider's clock."""
    return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)


def _said(answer: Answer) -> str:
    return f"{answer.status} {_words(complaints_of(answer))}".strip()


def _words(complaints: Sequence[Complaint]) -> str:
    """The first complaints, without addresses: they may end in logs."""
    told = "; ".join(f"{c.field}: {c.message}" if c.field else c.message for c in complaints[:3])
    return without_addresses(told)[:500]
