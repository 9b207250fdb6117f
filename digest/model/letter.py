"""What a letter says: editions, their entries, and pages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from digest.model.meetings import Council, Meeting
from digest.model.summaries import Condensed
from digest.model.text import fingerprint_of
from digest.model.wishes import Profile
from digest.model.words import Detail, LineKind


class Place(StrEnum):
    """Where in a letter an entry stands, in reading order."""

    DECIDED = "decided"
    CORRECTED = "corrected"
    CHANGED = "changed"
    PAPERS = "papers"
    COMING_UP = "coming_up"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an entry is there: kind ``council|committee|topic|keyword|ward``, and the words matched."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as one edition says it.

    ``seqs`` are the log lines it stands for (empty for a meeting listed from state alone);
    ``since`` is set on corrections and withdrawals: when the item was first published.
    ``also``: other items that this entry stands for, so that they are said once (the other half of a
    joint meeting; the announcement of a meeting whose summary is here). ``made`` holds what was rendered of
    this very entry.
    """

    item: str
    version: int
    seqs: tuple[int, ...]
    place: Place
    line_kind: LineKind
    council: Council
    meeting: Meeting
    detail: Detail
    reasons: tuple[Reason, ...] = ()
    summary: Condensed | None = None
    missing_language: str | None = None
    since: datetime | None = None
    before: Meeting | None = None
    why: str | None = None
    is_new: bool = False
    also: tuple[str, ...] = ()
    made: dict[Any, Any] = field(init=False, default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A council with limited support, and how many wait for it (the reader included)."""

    council: Council
    waiting: int


@dataclass(frozen=True, slots=True)
class Silence:
    """A council none of whose feeds could be read since then."""

    council: Council
    since: datetime


@dataclass(frozen=True, slots=True)
class Folded:
    """Items counted, not named: "and 4 more", with the item refs that the count stands for.

    ``why``: ``more`` (no room), ``later`` (announced, beyond the horizon) or ``held`` (announced and
    already past). ``also``: further refs of the same meetings, which the count must not count again.
    """

    place: Place
    council: Council
    items: tuple[str, ...]
    why: str = "more"
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edition:
    """What a run says to one (profile, from_seq]. Entries are in reading order within each place.

    ``earlier`` counts matching items older than ``look_back`` after a pause. ``is_quiet``: nothing in
    the range, but the reader wished a line that says so.

    ``news`` is one object for all editions of a run that differ in nothing but their profiles' words (topics,
    keywords, wards); None where nobody has compared. ``replace`` never carries it over.
    """

    profile: Profile
    from_seq: int
    upto_seq: int
    as_of: datetime
    councils: tuple[Council, ...]
    entries: tuple[Entry, ...] = ()
    folded: tuple[Folded, ...] = ()
    limited: tuple[Waiting, ...] = ()
    paused: tuple[Council, ...] = ()
    silences: tuple[Silence, ...] = ()
    earlier: int = 0
    is_quiet: bool = False
    news: object = field(init=False, default=None, compare=False, repr=False)

    def with_news(self, news: object) -> Edition:
        """The same edition, marked as one of those with this ``news``."""
        edition = replace(self)
        object.__setattr__(edition, "news", news)
        return edition

    def told_to(self, profile: Profile) -> Edition:
        """The same news for a profile that differs in words alone."""
        edition = replace(self, profile=profile)
        object.__setattr__(edition, "news", self.news)
        return edition

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to say and no quiet note is wished: such an edition has no page."""
        return (
            not self.is_quiet
            and self.earlier == 0
            and not any(e.seqs for e in self.entries)
            and not self.folded
        )


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What pages of equal news have in common: pieces of HTML and text, and between them a page's own words.

    Forms are told apart by what they are, not by what they say. ``made`` holds what others have made of this
    one (compressed, as JSON) for its next page.
    """

    html: tuple[str, ...] | None
    text: tuple[str, ...]
    made: dict[str, Any] = field(init=False, default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """Characters of all pieces."""
        return sum(map(len, (*(self.html or ()), *self.text)))


@dataclass(frozen=True, slots=True)
class Page:
    """An edition's rendered bytes, with tags in place of everything personal (see ``render.page``).

    One that was laid out from a ``form`` knows it, and its ``own`` words (HTML, text); ``replace`` never
    carries them over.
    """

    subject: str
    preheader: str
    html: str | None
    text: str
    language: str = "en"
    form: Form | None = field(init=False, default=None, compare=False, repr=False)
    own: tuple[str, str] = field(init=False, default=("", ""), compare=False, repr=False)

    @classmethod
    def laid_out(
        cls, form: Form, own: tuple[str, str], *, subject: str, preheader: str, language: str
    ) -> Page:
        """The page of this form with its own words (HTML, text) between the pieces.

        It is joined when somebody looks at it: on its way through a run nobody does.
        """
        page = cls.__new__(cls)
        values = {"subject": subject, "preheader": preheader, "language": language, "form": form, "own": own}
        for name, value in values.items():
            object.__setattr__(page, name, value)
        return page

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> str | None:
            # Python asks here for what is not set yet: the whole of a page laid out from a form.
            if name == "html":
                whole = None if self.form.html is None else self.own[0].join(self.form.html)
            elif name == "text":
                whole = self.own[1].join(self.form.text)
            else:
                raise AttributeError(name)
            object.__setattr__(self, name, whole)
            return whole

    @property
    def fingerprint(self) -> str:
        """Equal pages are stored once (sha256, hex)."""
        return fingerprint_of(
            "\0".join((self.subject, self.preheader, self.html or "", self.text, self.language))
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """Who publishes: what ``[publication]`` in digest.toml says (one value for all letters)."""

    name: str
    from_address: str
    base_url: str
    reply_to: str | None = None
    postal_address: str = ""
    support_line: str = ""
    contact: str = ""
    logo_url: str | None = None
    colours: dict[str, str] = field(default_factory=dict)
