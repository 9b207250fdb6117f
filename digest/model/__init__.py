"""The values that pass between rooms: frozen, checked by their makers, free of the outside world.

Enters: nothing. Leaves: the types every other room speaks in (see GLOSSARY.md for the words).
Must never: read a clock, a disk, a network, a database or an environment variable.

Instants (``*_at``) are aware datetimes in UTC; calendar days (``*_on``) are plain dates in the
council's own time zone. Tuples are ordered as their docstring says; empty means "none known".
"""

from digest.model.handover import (
    HandedOver,
    InDoubt,
    Outcome,
    Outgoing,
    Readers,
    Recipient,
    Refused,
)
from digest.model.letter import (
    Edition,
    Entry,
    Folded,
    Page,
    Place,
    Publication,
    Reason,
    Silence,
    Waiting,
)
from digest.model.meetings import (
    Attendee,
    Council,
    Decision,
    Document,
    Meeting,
    NotMeeting,
    ParsedFeed,
    RawFeed,
    Sighting,
    Webcast,
)
from digest.model.summaries import (
    Condensed,
    Section,
    Summary,
)
from digest.model.text import (
    fingerprint_of,
    name_key,
)
from digest.model.wishes import (
    CommitteeWish,
    LogLine,
    Profile,
    Schedule,
)
from digest.model.words import (
    Approval,
    BatchState,
    Cadence,
    Detail,
    DocumentKind,
    Ended,
    Format,
    LineKind,
    LineReaders,
    MeetingStatus,
    Origin,
    Role,
    RunKind,
    RunState,
    SubscriberState,
    SummaryState,
    Support,
    Tier,
    WishKind,
)

__all__ = [
    "Approval",
    "Attendee",
    "BatchState",
    "Cadence",
    "CommitteeWish",
    "Condensed",
    "Council",
    "Decision",
    "Detail",
    "Document",
    "DocumentKind",
    "Edition",
    "Ended",
    "Entry",
    "Folded",
    "Format",
    "HandedOver",
    "InDoubt",
    "LineKind",
    "LineReaders",
    "LogLine",
    "Meeting",
    "MeetingStatus",
    "NotMeeting",
    "Origin",
    "Outcome",
    "Outgoing",
    "Page",
    "ParsedFeed",
    "Place",
    "Profile",
    "Publication",
    "RawFeed",
    "Readers",
    "Reason",
    "Recipient",
    "Refused",
    "Role",
    "RunKind",
    "RunState",
    "Schedule",
    "Section",
    "Sighting",
    "Silence",
    "SubscriberState",
    "Summary",
    "SummaryState",
    "Support",
    "Tier",
    "Waiting",
    "Webcast",
    "WishKind",
    "fingerprint_of",
    "name_key",
]
