"""Letters for tests: one page with every tag, and readers of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from digest.links import delivery_id
from digest.model import Outgoing, Page, Publication, Recipient, RunKind
from digest.render.tags import ACTION, NAME_HTML, NAME_TEXT, PREFERENCES, UNSUBSCRIBE, VIEW

BASE = "https://digest.example.org"
PUBLICATION = Publication(
    name="Ynys Môn Digest",
    from_address="news@digest.example.org",
    base_url=BASE,
    reply_to="desk@digest.example.org",
)
PAGE = Page(
    subject="What was decided – £63m deficit",
    preheader="Contact forms in 10 hours",
    html=f'<p>Hello{NAME_HTML}, <a href="{UNSUBSCRIBE}">leave</a> <a href="{PREFERENCES}">wishes</a> '
    f'<a href="{VIEW}">view</a> <a href="{ACTION}">act</a> £63m</p>\n' + "<p>long " * 60 + "\n",
    text=f"Hello{NAME_TEXT},\n.\nFrom here £63m\nleave {UNSUBSCRIBE}\nwishes {PREFERENCES}\n"
    f"{VIEW} {ACTION}\n",
    language="en",
)


def reader(number: int, address: str | None = None, *, name: str = "Ann <b>") -> Recipient:
    """The reader of that number in run 7."""
    return Recipient(
        subscriber_id=number,
        delivery=delivery_id(7, number),
        address=address or f"reader{number}@example.org",
        name=name,
        unsubscribe_url=f"{BASE}/unsubscribe/token{number}-{'u' * 40}1",
        preferences_url=f"{BASE}/preferences/token{number}1",
        action_url=f"{BASE}/confirm/token{number}1",
    )


def outgoing(*recipients: Recipient, page: Page = PAGE, kind: RunKind = RunKind.DIGEST) -> Outgoing:
    """A batch of run 7 for those readers."""
    return Outgoing(
        run_id=7,
        batch_id=70,
        kind=kind,
        page=page,
        view_url=f"{BASE}/view/page1",
        publication=PUBLICATION,
        recipients=recipients,
        sent_at=datetime(2025, 9, 21, 17, 0, tzinfo=UTC),
    )


def with_publication(batch: Outgoing, **changes: object) -> Outgoing:
    """The batch as another publication would send it."""
    return replace(batch, publication=replace(batch.publication, **changes))  # type: ignore[arg-type]
