"""Links of a feed made safe and canonical: http and https, the council's own hosts, one spelling.

A browser and Python read odd addresses differently (backslashes, ``user@host``, look-alike letters), so
anything odd is dropped, not mended. A dropped link is None: the meeting stays, without it.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

MAX_CHARS = 2_000
_ODD = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"^`{|}\u2000-\u206f\ufeff]")
_SPACE_INSIDE = re.compile(r"[ \u00a0]")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
# Second-level labels under which names are sold: the site is one label longer there.
_SHARED_SECOND = frozenset(
    {"gov", "co", "org", "com", "net", "ac", "nhs", "police", "edu", "ltd", "plc", "sch"}
)
# Vendors' domains: every host is another council.
_VENDORS = frozenset({
    "moderngov.co.uk", "cmis.uk.com", "legistar.com", "granicus.com", "primegov.com", "escribemeetings.com",
    "civicweb.net", "uk.com", "wordpress.com", "github.io", "azurewebsites.net", "amazonaws.com",
    "blogspot.com", "wixsite.com", "civicplus.com", "opencouncil.gr",
})  # fmt: skip


def host_of(url: str | None) -> str:
    """The host of an address in lower case, "" where there is none."""
    try:
        return (urlsplit(url or "").hostname or "").rstrip(".")
    except ValueError:
        return ""


def site_of(host: str) -> str:
    """What belongs to one owner: ``gov.uk`` names have three labels, a vendor's host stands alone."""
    labels = host.split(".")
    if any(".".join(labels[n:]) in _VENDORS for n in range(1, len(labels))):
        return host
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHARED_SECOND else 2
    return ".".join(labels[-size:])


def is_allowed(host: str, hosts: frozenset[str]) -> bool:
    """True where the host, or its site, is on the council's list."""
    return host in hosts or site_of(host) in {site_of(h) for h in hosts}


def clean_link(link: str | None, *, base: str, hosts: frozenset[str]) -> str | None:
    """An absolute http(s) address on one of ``hosts``, or None.

    ``http`` becomes ``https`` when ``base`` is https: the same pages are served on both, and readers'
    requests stay private.
    """
    if not link:
        return None
    link = _SPACE_INSIDE.sub("%20", link.strip())
    if len(link) > MAX_CHARS or _ODD.search(link):
        return None
    try:
        parts = urlsplit(urljoin(base, link))
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not _HOST.fullmatch(host):
        return None
    if not is_allowed(host, hosts):
        return None
    scheme = parts.scheme
    if scheme == "http" and base.startswith("https:") and port in (None, 80):
        scheme, port = "https", None
    if port not in (None, 80, 443) and (host, port) != _place(base):
        return None
    netloc = host if port in (None, {"http": 80, "https": 443}[scheme]) else f"{host}:{port}"
    return urlunsplit((scheme, netloc, parts.path or "/", parts.query, parts.fragment))


def _place(base: str) -> tuple[str, int | None]:
    """Host and port of the feed itself: a council's site on an odd port may link to itself."""
    try:
        parts = urlsplit(base)
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def query_of(url: str | None) -> dict[str, str]:
    """The query of an address with lower-case names; the first of equal names counts."""
    found: dict[str, str] = {}
    try:
        query = urlsplit((url or "").replace("&amp;", "&")).query
        for name, value in parse_qsl(query, max_num_fields=50):
            found.setdefault(name.lower().removeprefix("amp;"), value)
    except ValueError:
        return {}
    return found


def page_of(url: str | None) -> str:
    """The last part of the path in lower case: ``ielistdocuments.aspx``."""
    try:
        return urlsplit(url or "").path.rpartition("/")[2].lower()
    except ValueError:
        return ""
