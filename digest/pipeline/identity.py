"""One spelling for the address of a meeting, so that a summary finds the meeting that a feed brought."""

from __future__ import annotations

from urllib.parse import urldefrag, urlsplit

from digest.intake.dialects.moderngov import meeting_ids
from digest.intake.links import host_of


def url_key(url: str | None) -> str | None:
    """The identity behind a meeting's address: the platform's own id where the address carries one.

    Scheme, fragment and a trailing slash do not matter. None for no address.
    """
    if not url:
        return None
    _, meeting = meeting_ids(url)
    if meeting is not None:
        return f"{host_of(url)}:MId:{meeting}"
    parts = urlsplit(urldefrag(url)[0])
    return f"{host_of(url)}{parts.path.rstrip('/')}" + (f"?{parts.query}" if parts.query else "")
