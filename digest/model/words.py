"""Words with a closed list of values (GLOSSARY has their meaning)."""

from __future__ import annotations

from enum import StrEnum


class Support(StrEnum):
    """How far a council is served (GLOSSARY: support level)."""

    FULL = "full"
    LIMITED = "limited"
    PAUSED = "paused"


class Approval(StrEnum):
    """Who lets a summary of a council into letters."""

    AUTO = "auto"
    APPROVAL = "approval"
    OFF = "off"


class MeetingStatus(StrEnum):
    """What a feed says of a meeting."""

    SCHEDULED = "scheduled"
    PROVISIONAL = "provisional"
    CANCELLED = "cancelled"
    POSTPONED = "postponed"
    HELD = "held"


class DocumentKind(StrEnum):
    """What a document is for, in the order residents look for them."""

    AGENDA = "agenda"
    REPORTS_PACK = "reports_pack"
    MINUTES = "minutes"
    DECISIONS = "decisions"
    ADDITIONAL = "additional"


class Origin(StrEnum):
    """Who wrote a summary; ``ai`` is always labelled in letters."""

    AI = "ai"
    HUMAN = "human"


class SummaryState(StrEnum):
    """draft -> approved -> published -> (corrected, withdrawn)."""

    DRAFT = "draft"
    APPROVED = "approved"
    PUBLISHED = "published"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


class LineKind(StrEnum):
    """Kind of a line of the publication log."""

    SUMMARY = "summary"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    MEETING_NEW = "meeting_new"
    MEETING_CHANGED = "meeting_changed"
    MEETING_CANCELLED = "meeting_cancelled"
    PAPERS = "papers"


class LineReaders(StrEnum):
    """Whom a line of the log concerns, of those who follow its council (ADR 0013)."""

    ALL = "all"
    ENABLED = "enabled"
    OTHERS = "others"


class WishKind(StrEnum):
    """Kinds of item a reader can switch on and off."""

    DECISIONS = "decisions"
    COMING_UP = "coming_up"
    PAPERS = "papers"
    CHANGES = "changes"


class Detail(StrEnum):
    """How much text an item gets."""

    HEADLINE = "headline"
    BRIEF = "brief"
    FULL = "full"


class Format(StrEnum):
    """What a reader's mail is made of."""

    HTML = "html"
    TEXT = "text"


class Tier(StrEnum):
    """What a reader is entitled to (digest.toml says what each tier may have)."""

    RESIDENT = "resident"
    PROFESSIONAL = "professional"


class SubscriberState(StrEnum):
    """Where a subscriber stands; only ``active`` ones get digests."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    LEFT = "left"
    SUPPRESSED = "suppressed"
    ERASED = "erased"


class Cadence(StrEnum):
    """How often a digest comes."""

    DAILY = "daily"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"


class RunKind(StrEnum):
    """What a run hands out: the digest of a slot, or one of the notices."""

    DIGEST = "digest"
    CONFIRM = "confirm"
    WELCOME = "welcome"
    LINK = "link"
    ADDRESS = "address"
    SUPPORTED = "supported"
    CANCELLED_MEETING = "cancelled_meeting"
    SERVICE = "service"
    MOVE = "move"
    EXPORT = "export"
    ERASE = "erase"

    @property
    def is_personal(self) -> bool:
        """A notice that answers one person, who waits for it; the others go to an audience."""
        return self in _PERSONAL


_PERSONAL = frozenset(
    {
        RunKind.CONFIRM,
        RunKind.WELCOME,
        RunKind.LINK,
        RunKind.MOVE,
        RunKind.ADDRESS,
        RunKind.EXPORT,
        RunKind.ERASE,
    }
)


class RunState(StrEnum):
    """Where a run stands (docs/flow.md)."""

    PLANNING = "planning"
    COMPOSING = "composing"
    SENDING = "sending"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class BatchState(StrEnum):
    """Where a batch stands (docs/flow.md draws who may move what)."""

    WAITING = "waiting"
    READY = "ready"
    CLAIMED = "claimed"
    HANDED_OVER = "handed_over"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    CLOSED = "closed"


class Ended(StrEnum):
    """Named end of a delivery. The first five keep the range, the others give it back."""

    HANDED_OVER = "handed_over"
    EMPTY = "empty"
    LEFT = "left"
    SUPPRESSED = "suppressed"
    BAD_ADDRESS = "bad_address"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    HELD_BACK = "held_back"

    @property
    def keeps_range(self) -> bool:
        """True where what the letter covered counts as said."""
        return self in _KEEPS


_KEEPS = frozenset({Ended.HANDED_OVER, Ended.EMPTY, Ended.LEFT, Ended.SUPPRESSED, Ended.BAD_ADDRESS})


class Role(StrEnum):
    """What an operator may do: look, act on councils and runs, or also on people and operators."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Whether this role may do what that one may: each includes the ones before it."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)
