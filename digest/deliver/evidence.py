"""What the provider remembers: whether a doubtful letter was accepted, and whom it will not mail.

Email Logs lag by minutes and forget after days, and know no search by our id: so they are asked by address,
category and time, and believed only when the found letter carries our delivery id. One found letter settles
its whole request, since the provider takes or refuses requests as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import orjson
from python_http_client.exceptions import HTTPError

from digest.deliver.sendgrid_api import SendGridApi
from digest.deliver.sendgrid_body import CATEGORY, DELIVERY_ARG
from digest.deliver.transport import NotSentError, Transport, UnansweredError
from digest.errors import DeliveryError

PAGE_SIZE = 500
OVERLAP = timedelta(hours=1)
"""Lists are read again from this long before the last time: their times are coarse and pages shift."""
# Pages are asked for with this much in common: what goes off a list meanwhile moves the others up.
_PAGES_SHARE = 20
_LOG_LIMIT = 1000
_MOST_WAIT_S = 60.0  # the provider counts these questions by the minute
_MOST_WAITS = 5
_CLOCKS_DIFFER = timedelta(minutes=5)

# The provider's lists of addresses that it will not mail, and our word for each. Blocks are none of them:
# the provider does not suppress what it calls blocked.
SUPPRESSION_LISTS = {
    "bounces": "bounce",
    "spam_reports": "spam",
    "invalid_emails": "invalid",
    "unsubscribes": "unsubscribed",
}


class Found(StrEnum):
    """What the logs say of a request: taken, not in them (yet), or no answer."""

    TAKEN = "taken"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """Evidence about one request, to stand beside the operator's decision."""

    found: Found
    why: str
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One address on a list of the provider. ``reason`` as in ``events.Event.suppression``."""

    address: str
    reason: str
    at: datetime
    why: str = ""


class EvidenceUnavailableError(DeliveryError):
    """The provider's records could not be read: try again later; nothing was changed."""


class SendGridRecords:
    """The provider's Email Logs and suppression lists. Reads only.

    ``pause`` waits some seconds, where the provider asks to.
    """

    def __init__(self, transport: Transport, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = SendGridApi(transport).client
        self._pause = pause

    def was_taken(
        self, deliveries: Mapping[str, str], *, since: datetime, until: datetime, sample: int = 10
    ) -> Finding:
        """Whether the request with these letters (address -> delivery id), sent in that time, was accepted.

        Asks for up to ``sample`` of them. NOT_FOUND means little before the logs' lag has passed (minutes).
        """
        try:
            for address, delivery in list(deliveries.items())[:sample]:
                if found := self._letter_in_any_case(address, delivery, since, until):
                    return Finding(
                        Found.TAKEN, f"Email Logs hold {delivery}: {found[1]}", found[0].partition(".")[0]
                    )
        except EvidenceUnavailableError as error:
            return Finding(Found.UNKNOWN, str(error))
        return Finding(
            Found.NOT_FOUND, f"Email Logs hold none of {min(sample, len(deliveries))} letters asked for"
        )

    def suppressed_since(self, last: datetime, until: datetime) -> Iterator[Suppressed]:
        """Addresses that came onto the provider's lists since then; some come again each time (`OVERLAP`).

        Asked for page by page as they are taken; waits where the provider asks to slow down.

        Raises: EvidenceUnavailableError.
        """
        for name, reason in SUPPRESSION_LISTS.items():
            for entry in self._pages(name, last - OVERLAP, until):
                at = datetime.fromtimestamp(int(entry["created"]), UTC)
                yield Suppressed(str(entry["email"]), reason, at, str(entry.get("reason", ""))[:500])

    def _letter_in_any_case(
        self, address: str, delivery: str, since: datetime, until: datetime
    ) -> tuple[str, str] | None:
        """`_letter`; whether the logs keep an address as it was written is not documented."""
        for spelling in dict.fromkeys((address, address.lower())):
            if found := self._letter(spelling, delivery, since, until):
                return found
        return None

    def _letter(
        self, address: str, delivery: str, since: datetime, until: datetime
    ) -> tuple[str, str] | None:
        """(sg_message_id, status) of the letter that carries the delivery id, or None."""
        query = " AND ".join(
            (
                f'to_email = "{address}"',
                f"categories IN ('{CATEGORY}')",
                f'sg_message_id_created_at >= TIMESTAMP "{_rfc3339(since - _CLOCKS_DIFFER)}"',
                f'sg_message_id_created_at <= TIMESTAMP "{_rfc3339(until + _CLOCKS_DIFFER)}"',
            )
        )
        logs = self._client.logs
        answer = self._asked(lambda: logs.post(request_body={"query": query, "limit": _LOG_LIMIT}))
        for message in answer["messages"]:
            sg_message_id = str(message["sg_message_id"])
            whole = self._asked(lambda sg_message_id=sg_message_id: logs._(sg_message_id).get())
            if (whole.get("custom_args") or {}).get(DELIVERY_ARG) == delivery:
                return sg_message_id, str(message.get("status", ""))
        return None

    def _pages(self, name: str, since: datetime, until: datetime) -> Iterator[Mapping[str, Any]]:
        times = {"start_time": max(int(since.timestamp()), 0), "end_time": int(until.timestamp())}
        offset, shared = 0, set[str]()
        while True:
            query = times | {"limit": PAGE_SIZE, "offset": offset}
            page: Sequence[Mapping[str, Any]] = self._asked(
                lambda query=query: self._client.suppression._(name).get(query_params=query)
            )
            yield from (entry for entry in page if entry["email"] not in shared)
            shared = {str(entry["email"]) for entry in page[-_PAGES_SHARE:]}
            offset += PAGE_SIZE - _PAGES_SHARE
            if len(page) < PAGE_SIZE:
                return

    def _asked(self, question: Any) -> Any:
        """The JSON of an answer. Raises: EvidenceUnavailableError for whatever is none."""
        for waits in range(_MOST_WAITS + 1):
            try:
                return orjson.loads(question().body)
            except HTTPError as error:
                if error.status_code == 429 and waits < _MOST_WAITS:
                    self._pause(_wait_s(error.headers))
                    continue
                why = f"SendGrid answers {error.status_code} to a question"
                if error.status_code in (401, 403):
                    why += (
                        ": make a key that may send mail and read Email Logs and suppressions, "
                        "and put it into sendgrid.api_key"
                    )
                raise EvidenceUnavailableError(why) from None
            except (NotSentError, UnansweredError, orjson.JSONDecodeError) as error:
                why = f"SendGrid gives no answer to a question: {error}"
                raise EvidenceUnavailableError(why) from error
        raise AssertionError("the last round returns or raises")


def _wait_s(headers: Mapping[str, str]) -> float:
    """Seconds until the provider answers again, by its own clock; a minute where it does not say."""
    try:
        now = parsedate_to_datetime(headers["date"]).timestamp()
        return min(max(float(headers["x-ratelimit-reset"]) - now, 1.0), _MOST_WAIT_S)
    except (KeyError, TypeError, ValueError):
        return _MOST_WAIT_S


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
