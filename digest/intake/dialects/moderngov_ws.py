"""ModernGov's web service: ``mgWebService.asmx/GetMeetings``, the optional second source of a council.

Unlike the feed it lists future meetings without papers, and states the status each time.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from digest.errors import FeedError
from digest.intake.dates import find_when
from digest.intake.items import Document, Where
from digest.intake.links import clean_link, host_of
from digest.intake.reading import Dialect, Reading
from digest.intake.titles import plain
from digest.model import MeetingStatus, NotMeeting, Sighting

_STATUS = {
    "cancelled": MeetingStatus.CANCELLED,
    "provisional": MeetingStatus.PROVISIONAL,
    "postponed": MeetingStatus.POSTPONED,
}


def claims(document: Document, where: Where) -> int:
    """The service's own address, or an answer that lists meetings: an empty one may be anything."""
    if document.root != "getmeetings":
        return 0
    return 95 if "mgwebservice.asmx" in where.url.lower() or "<meetingid>" in document.text else 0


def read(document: Document, where: Where) -> Reading:
    """Meetings of all committees of the answer."""
    try:
        root = fromstring(document.text.encode("utf-8", "replace"), forbid_dtd=True)
    except (ParseError, DefusedXmlException) as error:
        raise FeedError("invalid_body", f"the web service's answer cannot be read: {error}") from error
    base = re.split("mgwebservice.asmx", where.url.partition("?")[0], maxsplit=1, flags=re.IGNORECASE)[0]
    return Reading.of(
        _meeting(committee, meeting, base, where)
        for committee in root.iter("committee")
        for meeting in committee.iter("meeting")
    )


def _meeting(committee: Element, meeting: Element, base: str, where: Where) -> Sighting | NotMeeting:
    name = plain(committee.findtext("committeetitle"))
    number = (meeting.findtext("meetingid") or "").strip()
    when = find_when(
        f"{plain(meeting.findtext('meetingdate'))} {plain(meeting.findtext('meetingtime'))}",
        country="gb",
    )
    if when is None or not number.isdigit():
        return NotMeeting(None, name, "unrecognised: the service gives no id or no date")
    cid = (committee.findtext("committeeid") or "").strip()
    link = urljoin(base, f"ieListDocuments.aspx?CId={cid}&MId={number}")
    return Sighting(
        committee=name,
        title=f"{name} - {when.day.isoformat()}",
        starts_at=when.instant(where.timezone),
        starts_on=when.day,
        status=_STATUS.get(plain(meeting.findtext("meetingstatus")).lower(), MeetingStatus.SCHEDULED),
        url=clean_link(link, base=where.url, hosts=where.hosts),
        external_id=f"{host_of(link)}:MId:{number}",
        committee_id=f"{host_of(link)}:CId:{cid}" if cid.isdigit() else None,
        doubts=when.doubts,
        says_status=True,
    )


DIALECT = Dialect("moderngov-ws", claims, read, reads_feeds=False)
