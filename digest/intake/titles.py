"""What a title says beside the date: the status, what kind of event it is, the committee's name.

Titles are text from strangers: markup, control and bidi characters, line ends and over-long runs are
taken out here once, so that no other room meets them.
"""

from __future__ import annotations

import html
import re
import unicodedata

from digest.model import DocumentKind, MeetingStatus

MAX_TITLE = 300
MAX_RAW = 20_000

_TAG = re.compile(r"<[A-Za-z/!?][^<>]{0,2000}>")
_SCRIPT = re.compile(r"<(script|style)\b[^<>]{0,500}>[^<]{0,5000}</\1\s{0,5}>", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"[\s\u0085\u2028\u2029]+")


def plain(text: str | None, *, limit: int = MAX_TITLE) -> str:
    """One line of clean text: tags out, references read (also twice escaped ones), clipped at ``limit``."""
    if not text:
        return ""
    text = text[:MAX_RAW]
    for _ in range(2):
        if "<" in text:
            text = _TAG.sub(" ", _SCRIPT.sub(" ", text))
        if "&" not in text:
            break
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    else:
        text = _UNSEEN.sub("", text)
    return clipped(_SPACES.sub(" ", text).strip(), limit)


def clipped(text: str, limit: int) -> str:
    """At most ``limit`` characters; the cut is shown by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


# --- status ------------------------------------------------------------------------------------------

_STATUS_WORDS = {
    "cancelled": MeetingStatus.CANCELLED,
    "canceled": MeetingStatus.CANCELLED,
    "cancellation": MeetingStatus.CANCELLED,
    "notice of cancellation": MeetingStatus.CANCELLED,
    "withdrawn": MeetingStatus.CANCELLED,
    "abandoned": MeetingStatus.CANCELLED,
    "wedi'i ganslo": MeetingStatus.CANCELLED,
    "wedi ei ganslo": MeetingStatus.CANCELLED,
    "canslwyd": MeetingStatus.CANCELLED,
    "postponed": MeetingStatus.POSTPONED,
    "postponement": MeetingStatus.POSTPONED,
    "deferred": MeetingStatus.POSTPONED,
    "adjourned": MeetingStatus.POSTPONED,
    "gohiriwyd": MeetingStatus.POSTPONED,
    "wedi'i ohirio": MeetingStatus.POSTPONED,
    "wedi ei ohirio": MeetingStatus.POSTPONED,
    "provisional": MeetingStatus.PROVISIONAL,
    "tentative": MeetingStatus.PROVISIONAL,
    "reinstated": MeetingStatus.SCHEDULED,
    "rescheduled": MeetingStatus.SCHEDULED,
    "re-scheduled": MeetingStatus.SCHEDULED,
    "rearranged": MeetingStatus.SCHEDULED,
    "re-arranged": MeetingStatus.SCHEDULED,
}
_W = "|".join(re.escape(w) for w in sorted(_STATUS_WORDS, key=len, reverse=True))
_ANY_STATUS = re.compile(_W, re.IGNORECASE)
_SAY = r"(?:(?:this\s)?(?:meeting\s)?(?:has\sbeen\s|is\s|was\s|now\s)*)"
_TAIL = r"(?:\s(?:meeting|notice|until\s[^()]{1,60}|to\s[^()]{1,60}|due\sto\s[^()]{1,80}|by\s[^()]{1,60}))?"
_IN_BRACKETS = re.compile(
    rf"[\s,–—-]{{0,3}}[(\[]\W{{0,4}}{_SAY}({_W})\b[^()\[\]]{{0,100}}[)\]]", re.IGNORECASE
)
_IN_STARS = re.compile(rf"\s?\*+\s?{_SAY}({_W})\b[^*]{{0,60}}\*+\s?[:–—-]?\s?", re.IGNORECASE)
_AT_START = re.compile(
    rf"^\W{{0,4}}(?:meeting\s)?({_W}){_TAIL}(?:\smeeting)?\s{{0,2}}(?:[:;,–—*!.]|-(?!\w)|\s-)+\s{{0,2}}(?:meeting\s(?:of|:)\s)?",
    re.IGNORECASE,
)
_AT_END = re.compile(rf"(?:\s{{0,2}}[,;:–—*.-]+\s{{0,2}}|\s){_SAY}({_W}){_TAIL}\W{{0,4}}$", re.IGNORECASE)
_IN_CAPITALS = re.compile(
    r"(?:^|(?<=\s))\W{0,3}(CANCELLED|CANCELED|POSTPONED|PROVISIONAL|ABANDONED)\b\W{0,4}"
)
_NOTE = re.compile(
    r"\s?[(\[](?:please\snote\s)?(?:new|revised|change\sof|changed|note|n\.?b\.?|time\schanged|date\schanged|venue\schanged|"
    r"rearranged|re-arranged|amended|moved|hybrid|virtual|online|remote|special|extraordinary\smeeting)\b[^()\[\]]{0,120}[)\]]"
    r"|\s{0,2}[,;:–—-]+\s?(?:please\s)?note\s(?:the\s)?(?:new|change|revised|earlier|later)\b.{0,120}$"
    r"|\s{0,2}[,;–—-]+\s?(?:new|revised|amended)\s(?:start\s)?(?:time|date|venue)\b.{0,120}$"
    r"|\s{0,2}[,;:–—-]+\s?(?:re-?scheduled|re-?arranged|moved|postponed|brought\sforward)\sfrom\b.{0,80}$"
    r"|^(?:new|revised|amended|change\sof|change\sto)\s(?:start\s)?(?:time|date|venue)(?:\sand\s(?:time|date|venue))?\s?[:–—-]\s?",
    re.IGNORECASE,
)


_ANY_NOTE = re.compile(r"[(\[]|note\b|new\b|revised|amended|change|\bfrom\b", re.IGNORECASE)


def take_status(text: str) -> tuple[str, MeetingStatus | None]:
    """The text without its status words, and the status they name.

    A word counts in brackets, between stars, in capitals, or set off at either end; a committee that is
    called "Cancelled Debts Panel" keeps its name.
    """
    if not _ANY_STATUS.search(text):
        return text, None
    for pattern in (_IN_BRACKETS, _IN_STARS, _AT_START, _AT_END, _IN_CAPITALS):
        match = pattern.search(text)
        if match is None:
            continue
        rest = f"{text[: match.start()]} {text[match.end() :]}".strip(" ,;:-–—*")
        return _SPACES.sub(" ", rest), _STATUS_WORDS[match[1].lower()]
    return text, None


def without_notes(text: str) -> str:
    """The text without asides on a new time, date, venue or form ("(NEW TIME)", "(hybrid)")."""
    if not _ANY_NOTE.search(text):
        return text
    return _NOTE.sub("", text).strip(" ,;:-–—")


_MEETING_TAIL = re.compile(r"\s+(?:business\s|regular\s|special\s)?meetings?$", re.IGNORECASE)


def committee_of(text: str) -> str:
    """The committee named by what is left of a title: no "Meeting of", no notes, no trailing punctuation."""
    text = without_notes(text).strip(" \t,;:.–—-*|/")
    text = re.sub(
        r"^(?:meeting\sof(?:\sthe)?|cyfarfod(?:\so'?r|\syr?)?)(?:\s|$)", "", text, flags=re.IGNORECASE
    )
    text = re.sub(r"\s(?:on|held\son|to\sbe\sheld\son|held|at)$", "", text, flags=re.IGNORECASE)
    text = text.strip(" \t,;:.–—-*|/")
    return text + ")" if text.count("(") == text.count(")") + 1 else text


def without_meeting(name: str) -> str:
    """ "City Council Business Meeting" is a meeting of the City Council."""
    return _MEETING_TAIL.sub("", name) or name


# --- documents ---------------------------------------------------------------------------------------

_KINDS = (
    (DocumentKind.REPORTS_PACK, ("reports pack", "report pack", "public reports", "agenda pack", "packet",
                                 "document pack", "agenda reports pack", "pecyn")),
    (DocumentKind.DECISIONS, ("decision", "penderfyniad", "action summary", "results")),
    (DocumentKind.MINUTES, ("minutes", "cofnodion")),
    (DocumentKind.ADDITIONAL, ("supplement", "addendum", "appendix", "late item", "late paper", "additional",
                               "to follow", "notice", "presentation")),
    (DocumentKind.AGENDA, ("agenda", "rhaglen")),
)  # fmt: skip


def document_kind(title: str, url: str = "") -> DocumentKind:
    """What a paper is for, by its title, else by its address."""
    for text in (title.lower(), url.lower()):
        for kind, words in _KINDS:
            if any(word in text for word in words):
                return kind
    return DocumentKind.ADDITIONAL
