"""The fake's side of the webhook over HTTP: posts that are repeated until taken, and every bad habit seen."""

from __future__ import annotations

import http.client
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import orjson

from digest.deliver.fake_sendgrid.account import Account
from digest.deliver.fake_sendgrid.events import SIGNATURE_HEADER, Event, SignedPost

_TIMEOUT_S = 10.0
_GIVES_UP_AFTER = 20  # tries; the provider goes on for 24 h at growing intervals


@dataclass(frozen=True, slots=True)
class Mischief:
    """How the webhook misbehaves. Shares are of posts; the harmless default does nothing unusual.

    ``repeated``: the same post again; ``renamed``: its events again under new ids; ``forged``: a post with a
    wrong signature before the right one; ``stale``: one with an old timestamp; ``strange``: an event of an
    unknown type among the others.
    """

    repeated: float = 0.0
    renamed: float = 0.0
    forged: float = 0.0
    stale: float = 0.0
    strange: float = 0.0
    shuffled: bool = False
    most_per_post: int = 5_000
    in_parallel: int = 1


WELL_BEHAVED = Mischief()
EVERY_MISCHIEF = Mischief(
    repeated=0.2, renamed=0.2, forged=0.1, stale=0.1, strange=0.1, shuffled=True, most_per_post=50,
    in_parallel=4,
)  # fmt: skip


def post_events(account: Account, url: str, mischief: Mischief = WELL_BEHAVED) -> list[int]:
    """Post all waiting events to the address until each is taken; the statuses of all tries, in no order.

    What is never taken waits again, as the provider would go on trying.
    """
    with account.lock:
        account.settle()
        events = [event for post in account.journal.take() for event in post]
    groups = _groups(account, events, mischief)
    with ThreadPoolExecutor(mischief.in_parallel) as pool:
        results = list(pool.map(lambda group: _post_group(account, url, group, mischief), groups))
    with account.lock:
        for group, statuses in zip(groups, results, strict=True):
            if not 200 <= statuses[-1] < 300:
                account.journal.waiting.extend(group)
    return [status for statuses in results for status in statuses]


def _groups(account: Account, events: list[Event], mischief: Mischief) -> list[list[Event]]:
    rng = account.rng
    if mischief.shuffled:
        rng.shuffle(events)
    size = mischief.most_per_post
    groups = [events[n : n + size] for n in range(0, len(events), size)]
    for group in list(groups):
        if rng.random() < mischief.strange:
            group.append({"event": "invented_tomorrow", "timestamp": int(account.now()), "odd": [None]})
        if rng.random() < mischief.repeated:
            groups.append(list(group))
        if rng.random() < mischief.renamed:
            groups.append([event | {"sg_event_id": rng.randbytes(16).hex()} for event in group])
    return groups


def _post_group(account: Account, url: str, group: list[Event], mischief: Mischief) -> list[int]:
    post = account.key.post(group, account.now())
    statuses = []
    # One generator per post: threads must not disturb each other's sequence.
    rng = random.Random(post.body)  # noqa: S311  # repeatable, not secret
    if rng.random() < mischief.forged:
        wrong = post.headers | {SIGNATURE_HEADER: post.headers[SIGNATURE_HEADER][::-1]}
        statuses.append(_post(url, replace(post, headers=wrong)))
    if rng.random() < mischief.stale:
        statuses.append(_post(url, account.key.post(group, account.now() - 5 * 86_400)))
    for _ in range(_GIVES_UP_AFTER):
        statuses.append(_post(url, post))
        if 200 <= statuses[-1] < 300:
            break
    return statuses


def _post(url: str, post: SignedPost) -> int:
    """The status of one try; 0 when there was no answer. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", parts.path or "/", post.body, post.headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def account_status_change(account: Account, word: str = "compliance_suspend") -> None:
    """Let the provider close (or reactivate) the account, as an event among the others."""
    event: dict[str, Any] = {"event": "account_status_change", "type": word, "timestamp": int(account.now())}
    event["sg_event_id"] = account.rng.randbytes(16).hex()
    with account.lock:
        account.journal.add(event)


def unsigned(events: Iterable[Event]) -> SignedPost:
    """A post without signature, as from an account that never switched it on."""
    return SignedPost(orjson.dumps(list(events)), {"Content-Type": "application/json"})
