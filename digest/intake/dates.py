"""When a meeting is, from the words of a title or a note; and when an item was published.

Reads UK, US and Welsh spellings. Day and month in figures are read in the order of the country; a date
without a year takes the one nearest its publication; a date without a time stays a date; what does not
fit (a weekday, a month 14) is a doubt for the operator. Nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MAX_CHARS = 2_000  # of a text searched for a date
YEARS = range(1990, 2100)  # a year outside is a placeholder (.NET's year 1, 2100) or a reference number
_MONTH_FIRST = frozenset({"us", "ph", "fm", "pw", "gu", "pr"})

_MONTH_NAMES = (
    ("january", "jan", "ionawr", "ion"),
    ("february", "feb", "chwefror", "chwef", "gwefror"),
    ("march", "mar", "mawrth", "fawrth", "maw"),
    ("april", "apr", "ebrill", "ebr"),
    ("may", "mai", "fai"),
    ("june", "jun", "mehefin", "fehefin", "meh"),
    ("july", "jul", "gorffennaf", "gorffenaf", "orffennaf", "gorff"),
    ("august", "aug", "awst"),
    ("september", "sept", "sep", "medi", "fedi"),
    ("october", "oct", "hydref", "hyd"),
    ("november", "nov", "tachwedd", "dachwedd", "tach"),
    ("december", "dec", "rhagfyr", "ragfyr", "rhag"),
)
_MONTHS = {name: n for n, names in enumerate(_MONTH_NAMES, 1) for name in names}
_WEEKDAY_NAMES = (
    ("monday", "mon", "llun", "lun"),
    ("tuesday", "tues", "tue", "mawrth", "fawrth"),
    ("wednesday", "weds", "wed", "mercher", "fercher"),
    ("thursday", "thurs", "thur", "thu", "iau"),
    ("friday", "fri", "gwener", "wener"),
    ("saturday", "sat", "sadwrn"),
    ("sunday", "sun", "sul"),
)
_WEEKDAYS = {name: n for n, names in enumerate(_WEEKDAY_NAMES) for name in names}


def _either(words: dict[str, int]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


# Looked for backwards from a date: a search for it at every place of a text would cost four times as much.
_WEEKDAY_BEFORE = re.compile(
    rf"(?<!\w)(?:(?:dydd|nos|ddydd)\s)?(?P<weekday>{_either(_WEEKDAYS)})\b\.?,?\s{{0,3}}(?:the\s)?$",
    re.IGNORECASE,
)
_WEEKDAY_CHARS = 24
_ORDINAL = r"(?:st|nd|rd|th|af|ail|il|ydd|edd|ed|fed|eg|ain)?"
_SEP = r"[\s,.]{1,3}"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Wednesday, 3rd (of) September, 2025; 14 Dec 26; 8fed Rhagfyr 2026; year optional
        rf"(?<![\w/])(?P<day>\d{{1,2}}){_ORDINAL}(?:\s?[-/]\s?|\s{{0,3}}(?:of\s|o\s)?)(?P<month>{_either(_MONTHS)})\b\.?"
        rf"(?:(?:{_SEP}|\s?[-/]\s?)(?P<year>(?:19|20)\d\d)\b)?",
        # Tuesday, September 3rd, 2025; Dec 7 2026
        rf"(?<![\w/])(?P<month>{_either(_MONTHS)})\b\.?\s{{1,2}}(?P<day>\d{{1,2}}){_ORDINAL}\b(?![:.]\d)"
        rf"(?:{_SEP}(?P<year>(?:19|20)\d\d)\b)?",
        # 2026-12-01, 2026/12/01
        r"(?<![\w/])(?P<year>(?:19|20)\d\d)(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?!\d)",
        # 08/12/2026, 8.12.2026, 8-12-26: which is the day depends on the country
        r"(?<![\w/.])(?P<first>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>(?:19|20)\d\d|\d\d)(?![\d/])",
    )
)

_HALF = r"a\.?\s?m\b\.?|p\.?\s?m\b\.?|y\.?\s?b\b\.?|y\.?\s?h\b\.?|yr?\shwyr\b|yn\sy\sbore\b"
_NOON = r"(?:12(?:[.:]00)?\s?)?(?:noon|midday|mid-day|hanner\sdydd)\b|12(?:[.:]00)?\s?(?:n\b)"
_MIDNIGHT = r"(?:(?:12|00|0)(?:[.:]00)?\s?)?(?:midnight|hanner\snos)\b"
_CLOCK = (
    rf"(?P<noon>{_NOON})|(?P<midnight>{_MIDNIGHT})"
    # "6 - 8pm", "11.30 to 1.00 pm": the half of the day stands only at the end
    r"|(?P<from>\d{1,2})(?:[.:](?P<fromminute>\d\d))?\s?(?:-|–|—|to|until)\s?(?P<to>\d{1,2})(?:[.:]\d\d)?"
    rf"\s?(?P<tohalf>{_HALF})"
    rf"|(?P<hour>\d{{1,2}})(?:\s?[.:]\s?(?P<minute>\d\d))?(?:[.:]\d\d)?\s?(?P<half>{_HALF})"
    r"|(?P<hour24>\d{1,2})[.:h](?P<minute24>\d\d)(?:[.:]\d\d)?(?![\d%])(?:\s?(?:hours|hrs|hr|h|uhr|o'clock)\b\.?)?"
    r"|(?P<military>[012]\d[0-5]\d)(?:\s?(?:hours|hrs|hr|h)\b\.?|(?<!20[0-9]{2})(?=\s?,\s?[^\W\d]))"
)
_LEAD = (
    r"[\s,;@–—-]{0,4}(?:(?:at|from|am|commencing(?:\sat)?|starting(?:\sat)?|starts(?:\sat)?"
    r"|start(?:ing)?\stime:?|time:|beginning(?:\sat)?|o|rhwng)\s)?\(?"
)
_TIME_AFTER = re.compile(_LEAD + rf"(?:{_CLOCK})", re.IGNORECASE)
_TIME_BEFORE = re.compile(
    rf"(?<![\w.:])(?:{_CLOCK})(?:[\s,]{{0,3}}(?:on|ar)?[\s,]{{1,3}}|[\s,]{{1,3}})$", re.IGNORECASE
)
_TIME_ANYWHERE = re.compile(rf"(?<![\w.:/-])(?:{_CLOCK})", re.IGNORECASE)
_UNTIL = re.compile(rf"\s{{0,2}}(?:-|–|—|to|until|till)\s{{0,2}}(?:{_CLOCK})", re.IGNORECASE)
_ZONE_NAME = re.compile(r"\s?\(?(?:GMT|BST|UTC|IST|[ECMP][SD]?T|local\stime)\b\)?", re.IGNORECASE)
_ISO_TIME = re.compile(
    r"(?:T|\s)(?P<hour24>\d\d):(?P<minute24>\d\d)(?::\d\d(?:[.,]\d{1,9})?)?"
    r"(?P<zone>\s?(?:Z\b|UTC\b|[+-]\d\d:?\d\d))?(?!\s?[ap]\.?\s?m\b)",
    re.IGNORECASE,
)
# A year that was not believed (0001, 9999) makes no date of what stands before it.
_OTHER_YEAR = re.compile(r"[\s,./-]{1,3}\d{4}\b(?!\s?(?:hours|hrs|hr|h)\b)", re.IGNORECASE)
# What may stand after the date in place of, or beside, a time: it is no part of a committee's name.
_NOTE = re.compile(
    r"[\s,]{0,3}(?:\((?:or|at|following|immediately|on|please|note|nb|hybrid|via|online|virtual|remote|new|revised|time)\b[^()]{0,120}\)"
    r"|(?:or\s)?(?:(?:at|on|upon)\s(?:the\s)?(?:rising|conclusion|close|end|completion)\sof"
    r"|(?:immediately\s)?(?:following|after)\s(?:the\s)?(?:rising|conclusion|close|end|completion)\sof)[^,()]{0,120}"
    r"|(?:immediately\s)(?:following|after)\s[^,()]{0,120}|for\s\d{1,2}(?:[.:]\d\d)?\s?[ap]\.?\s?m\b\.?"
    r"|(?:if|whichever\s(?:is\s)?(?:the\s)?)\s?(?:later|earlier|sooner)"
    r"|[-–—]?\s?(?:please\s)?note\s(?:the\s|a\s)?(?:new|change|changed|revised|earlier|later|different)\b[^,()]{0,60}"
    r"|[-–—]\s?(?:new|revised|amended)\s(?:start\s)?(?:time|date|venue)\b[^,()]{0,40}"
    r"|(?:time\s)?(?:to\sbe\s(?:confirmed|advised|agreed|announced)|tbc|tba|tbd)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class When:
    """A date found in a text: its local day and time, and the span of the text that says so.

    ``time`` None: none is given. ``offset_s``: the text itself names its distance from UTC.
    """

    day: date
    time: time | None
    start: int
    end: int
    has_year: bool = True
    offset_s: int | None = None
    doubts: tuple[str, ...] = ()

    def instant(self, timezone: str) -> datetime | None:
        """The start as a UTC instant in the council's zone, None without a time."""
        if self.time is None:
            return None
        return to_utc(self.day, self.time, timezone, offset_s=self.offset_s)


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The time zone of that name; UTC for a name nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def to_utc(day: date, at: time, timezone_name: str, *, offset_s: int | None = None) -> datetime:
    """The instant of a local day and time; the earlier one where clocks go back."""
    info = zone(timezone_name) if offset_s is None else timezone(timedelta(seconds=offset_s))
    return datetime.combine(day, at, info).astimezone(UTC)


def find_when(text: str, *, country: str, near: date | None = None) -> When | None:
    """The first date of ``text`` with its time, or None. ``near``: the publication, for a missing year."""
    text = text[:MAX_CHARS]
    best = None
    for pattern in _DATES:
        found = _first(pattern, text, country, near)
        # A date with a year is worth more than one without ("the 5 May Group ... 3 June 2026").
        if found is not None and (best is None or found.has_year):
            best = found
            if found.has_year:
                break
    return _with_time(text, best) if best else None


def find_time(text: str) -> time | None:
    """The first clock time of ``text`` ("07:00 PM - 09:00 PM" is seven in the evening)."""
    match = _TIME_ANYWHERE.search(text[:MAX_CHARS])
    return _clock(match) if match else None


def _first(pattern: re.Pattern[str], text: str, country: str, near: date | None) -> When | None:
    weak = None
    for n, match in enumerate(pattern.finditer(text)):
        when = _when(match, country, near)
        if when is not None and when.has_year:
            return when
        weak = weak or when
        if n > 20:
            break
    return weak


def _when(match: re.Match[str], country: str, near: date | None) -> When | None:
    groups = match.groupdict()
    doubts: list[str] = []
    if groups.get("first"):
        day, month = _in_order(int(groups["first"]), int(groups["second"]), country, doubts)
    else:
        day = int(groups["day"])
        name = groups["month"].lower()
        month = int(name) if name.isdigit() else _MONTHS[name]
    weekday, start = _weekday_before(match.string, match.start())
    given = groups.get("year")
    if given is None and _OTHER_YEAR.match(match.string, match.end()):
        return None
    if given is None:
        found = _nearest(day, month, weekday, near)
    else:
        found = _day(int(given) + 2_000 if len(given) == 2 else int(given), month, day)
    if found is None:
        return None
    if weekday is not None and found.weekday() != weekday:
        doubts.append(f"“{match.string[start : match.end()]}” is not that day of the week")
    return When(found, None, start, match.end(), given is not None, doubts=tuple(doubts))


def _in_order(first: int, second: int, country: str, doubts: list[str]) -> tuple[int, int]:
    day, month = (second, first) if country.lower() in _MONTH_FIRST else (first, second)
    if month > 12 >= day:
        doubts.append("day and month stand in the other order than this country's")
        return month, day
    return day, month


def _weekday_before(text: str, start: int) -> tuple[int | None, int]:
    """The day of the week named right before a date, and where the whole then starts."""
    offset = max(0, start - _WEEKDAY_CHARS)
    match = _WEEKDAY_BEFORE.search(text[offset:start])
    return (_WEEKDAYS[match["weekday"].lower()], offset + match.start()) if match else (None, start)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year in YEARS else None
    except ValueError:
        return None


# A year-less date is up to three months old or nine ahead of its publication.
_PAST, _AHEAD = timedelta(days=100), timedelta(days=275)


def _nearest(day: int, month: int, weekday: int | None, near: date | None) -> date | None:
    if near is None:
        return None
    years = (_day(near.year + n, month, day) for n in (0, 1, -1))
    found = [d for d in years if d and -_PAST <= d - near <= _AHEAD]
    fitting = [d for d in found if weekday is None or d.weekday() == weekday]
    return next(iter(fitting or found), None)


def _with_time(text: str, when: When) -> When:
    iso = _ISO_TIME.match(text, when.end)
    after = iso or _TIME_AFTER.match(text, when.end)
    if after and (clock := _clock(after)) is not None:
        zone_text = iso.group("zone") if iso else None
        end = _end_of_range(text, after.end()) if not iso else after.end()
        if not iso and "(" in after[0] and text[end : end + 1] == ")":
            end += 1
        if not iso and (named := _ZONE_NAME.match(text, end)):
            end = named.end()
        found = replace(when, time=clock, end=end, offset_s=_offset(zone_text))
        if _is_unsure(after):
            doubts = (*when.doubts, f"“{after[0].strip()}” does not say morning or evening")
            found = replace(found, time=None, doubts=doubts)
    else:
        found = _with_time_before(text, when)
    for _ in range(3):
        note = _NOTE.match(text, found.end)
        if note is None:
            break
        found = replace(found, end=note.end())
    return found


def _is_unsure(match: re.Match[str]) -> bool:
    """ "7.30" alone: no council meets at that hour of the morning, and none is guessed into the evening."""
    hour = match.groupdict().get("hour24")
    return hour is not None and len(hour) == 1 and int(hour) < 8 and "hr" not in match[0].lower()


def _with_time_before(text: str, when: When) -> When:
    offset = max(0, when.start - 40)
    before = _TIME_BEFORE.search(text[offset : when.start])
    clock = _clock(before) if before else None
    if before is None or clock is None:
        return when
    return replace(when, time=clock, start=offset + before.start())


def _end_of_range(text: str, at: int) -> int:
    until = _UNTIL.match(text, at)
    return until.end() if until and _clock(until) is not None else at


def _clock(match: re.Match[str]) -> time | None:
    groups = match.groupdict()
    if groups.get("noon"):
        return time(12)
    if groups.get("midnight"):
        return time(0)
    if groups.get("military"):
        return _time(int(groups["military"][:2]), int(groups["military"][2:]))
    if groups.get("from"):
        return _range_start(groups)
    if groups.get("hour24"):
        return _time(int(groups["hour24"]), int(groups["minute24"]))
    if not groups.get("hour"):
        return None
    return _in_half(int(groups["hour"]), int(groups["minute"] or 0), is_late=_is_late(groups["half"]))


def _is_late(half: str) -> bool:
    return re.sub(r"[\s.]", "", half.lower()) in ("pm", "yh", "yhwyr", "yrhwyr")


def _in_half(hour: int, minute: int, *, is_late: bool) -> time | None:
    if hour > 12:
        return _time(hour, minute)  # "14.00 pm"
    return _time(hour % 12 + (12 if is_late else 0), minute)


def _range_start(groups: dict[str, str]) -> time | None:
    """ "11.30 to 1.00 pm" starts in the morning, "6 - 8pm" in the evening."""
    start, end = int(groups["from"]), int(groups["to"])
    is_late = _is_late(groups["tohalf"])
    if start % 12 > end % 12:
        is_late = not is_late
    return _in_half(start, int(groups["fromminute"] or 0), is_late=is_late)


def _time(hour: int, minute: int) -> time | None:
    return time(hour, minute) if hour < 24 and minute < 60 else None


# --- publication ------------------------------------------------------------------------------------

# RFC 822 knows the North American names; BST, IST and WET are what UK and Irish servers write.
_ZONES = {
    "gmt": 0, "ut": 0, "utc": 0, "z": 0, "wet": 0, "bst": 1, "ist": 1, "west": 1, "cet": 1, "cest": 2,
    "eet": 2, "eest": 3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8,
    "pdt": -7, "akst": -9, "akdt": -8, "hst": -10,
}  # fmt: skip
_PUBLISHED_TIME = re.compile(
    r"[\sT,]{1,3}(?:at\s)?(?P<hour>\d{1,2})[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:[.,]\d{1,9})?)?"
    r"\s?(?P<half>[ap]\.?m\.?)?\s?(?P<zone>Z|[+-]\d\d:?\d\d|[A-Za-z]{2,5})?",
    re.IGNORECASE,
)


# The usual form, read without the search for all others.
_RFC_822 = re.compile(
    r"(?:[A-Za-z]{3}, )?(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4})"
    r" (\d\d):([0-5]\d):([0-5]\d) (GMT|UT|UTC|Z|BST|[+-]\d{4})"
)


# RFC 822 itself had years of two figures.
_SHORT_YEAR = re.compile(r"^((?:[a-z]{3},\s)?\d{1,2}\s[a-z]{3}\s)(\d\d)(?=\s\d\d:)", re.IGNORECASE)


def published(text: str | None, *, timezone: str, country: str) -> datetime | None:
    """The instant an item says it was published (or, on some platforms, meets): RFC 822, ISO 8601 or loose.

    A missing zone is the council's; a wrong weekday is passed over; year 1 and the like are None.
    """
    if not text:
        return None
    text = _SHORT_YEAR.sub(r"\g<1>20\g<2>", text[:200].strip())
    if fast := _RFC_822.fullmatch(text):
        found = _day(int(fast[3]), _MONTHS[fast[2].lower()], int(fast[1]))
        if found is not None and fast[4] < "24":
            at = datetime(
                found.year, found.month, found.day, int(fast[4]), int(fast[5]), int(fast[6]), tzinfo=UTC
            )
            return at - timedelta(seconds=_offset(fast[7]) or 0)
    when = next((w for p in _DATES if (w := _first(p, text, country, None)) is not None), None)
    if when is None:
        return None
    match = _PUBLISHED_TIME.match(text, when.end)
    if match is None:
        return to_utc(when.day, time(0), timezone)
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower().startswith("p") else 0)
    if hour > 24 or minute > 59 or second > 60:
        return None
    midnight = to_utc(when.day, time(0), timezone, offset_s=_offset(match["zone"]))
    if match["zone"] is None or _offset(match["zone"]) is None:
        at = to_utc(when.day, time(hour % 24, minute, min(second, 59)), timezone)
        return at + timedelta(days=hour // 24)
    return midnight + timedelta(hours=hour, minutes=minute, seconds=min(second, 59))


def _offset(zone_text: str | None) -> int | None:
    if not zone_text:
        return None
    text = zone_text.strip().lower()
    if text in _ZONES:
        return _ZONES[text] * 3_600
    match = re.fullmatch(r"([+-])(\d\d):?(\d\d)", text)
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        return None
    seconds = int(match[2]) * 3_600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds
