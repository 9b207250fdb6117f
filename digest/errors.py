"""The error tree. Each class's docstring says what the operator can do.

DigestError
├── UsageError              exit 2: the command or the settings are wrong, nothing was tried
│   ├── SettingsError
│   └── ClockError
├── IntakeError             one feed's poll failed; the others go on
│   ├── FetchError
│   └── FeedError
├── SummaryError            one file or one part of it cannot be used
├── SubscriberError         one subscriber or one row cannot be used
├── NotFoundError           what was named does not exist
├── ConflictError           what was asked contradicts what is
├── StoreError
│   ├── SchemaError
│   └── DatabaseBusyError
├── RenderError
│   └── TemplateError
├── LinkError               a signed link is forged, damaged or too old
└── DeliveryError
    └── WebhookError
"""

from __future__ import annotations


class DigestError(Exception):
    """Something expected went wrong; the message names the thing, the place and the mend."""


class UsageError(DigestError):
    """The command line is wrong: nothing was tried. Read the message or add --help."""


class SettingsError(UsageError):
    """digest.toml or a DIGEST_ variable is wrong: mend the option that the message names."""


class ClockError(UsageError):
    """The clock was set where it must run: drop --now, or set safety.live to false."""


class IntakeError(DigestError):
    """A feed could not be taken in; ``kind`` is one of the words of `digest feed check`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class FetchError(IntakeError):
    """The feed's address did not give a body: look at the address, or wait for the next poll.

    ``is_blocked``: a gatekeeper or robots.txt keeps programs out; ask the council to let this one in.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        is_blocked: bool = False,
    ) -> None:
        super().__init__(kind, message)
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_blocked = is_blocked


class FeedError(IntakeError):
    """A body came but is no feed that can be read: open the address in a browser and compare."""


class SummaryError(DigestError):
    """A summary cannot be used; ``line`` (from 1) says where. Mend the file and import again."""

    def __init__(self, why: str, *, line: int = 1) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


class SubscriberError(DigestError):
    """A subscriber cannot be stored as asked: mend what the message names."""


class NotFoundError(DigestError):
    """Nothing has that name: the message lists the nearest ones."""


class ConflictError(DigestError):
    """What was asked contradicts what is stored: the message says which and what to do."""


class StoreError(DigestError):
    """The database could not be used: see the message, and `digest db check`."""


class SchemaError(StoreError):
    """The database is older or newer than this program: `digest db upgrade`, or a newer program."""


class DatabaseBusyError(StoreError):
    """Another process holds the database for too long: try again, nothing was changed."""


class RenderError(DigestError):
    """A letter could not be rendered: the message names template, line and variable."""


class TemplateError(RenderError):
    """A template is wrong: mend the file and line that the message names."""


class LinkError(DigestError):
    """A signed link cannot be honoured: ask for a new one. ``kind``: ``forged``, ``old`` or ``malformed``."""

    def __init__(self, message: str, *, kind: str = "malformed") -> None:
        super().__init__(message)
        self.kind = kind


class DeliveryError(DigestError):
    """A letter could not be handed over: the message says which and why."""


class WebhookError(DeliveryError):
    """A provider's post cannot be believed or read. ``kind``: unsigned, forged, old or malformed."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
