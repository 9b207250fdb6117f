"""SendGrid on this machine, for trials without an account: real HTTP, real faults, nothing ever mailed.

Enters: requests as the provider takes them. Leaves: its answers, signed webhook posts, and what would have
been mailed. State is in memory; the clock can be set. Texts of answers are the provider's where known.
Must never: be reachable from other machines, or be taken for proof of what the provider does.
"""

from digest.deliver.fake_sendgrid.account import Account, Options
from digest.deliver.fake_sendgrid.events import SignedPost, SigningKey, body_of
from digest.deliver.fake_sendgrid.faults import EVERY_FAULT, Fault
from digest.deliver.fake_sendgrid.mail import Message
from digest.deliver.fake_sendgrid.server import FakeSendGrid
from digest.deliver.fake_sendgrid.webhook import EVERY_MISCHIEF, Mischief, account_status_change, post_events


def serve(port: int = 0, *, account: Account | None = None, webhook_url: str | None = None) -> FakeSendGrid:
    """A fake listening on the loopback interface (port 0: any free one) until it is closed.

    With ``webhook_url`` it posts its signed events there by itself, every two seconds.

    >>> with serve() as fake:
    ...     fake.url.startswith("http://127.0.0.1:")
    True
    """
    return FakeSendGrid(account, port=port, webhook_url=webhook_url)


__all__ = [
    "EVERY_FAULT",
    "EVERY_MISCHIEF",
    "Account",
    "FakeSendGrid",
    "Fault",
    "Message",
    "Mischief",
    "Options",
    "SignedPost",
    "SigningKey",
    "account_status_change",
    "body_of",
    "post_events",
    "serve",
]
