"""One feed's address to its body: politely (RFC 9110, 9111), bounded, and only to public addresses.

Each name is resolved once, every answer is checked, and the connection goes to the checked address with
the name in SNI and Host, so that a second look at DNS cannot lead elsewhere; every redirect again. Bytes
are counted raw and unpacked while they stream: a client that decodes by itself would unpack a bomb first.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http.client import HTTPException
from types import TracebackType
from urllib.parse import quote, urljoin, urlsplit

from digest.errors import FetchError
from digest.http_answers import HttpAnswer
from digest.intake.connection import Connection, Origin, Waits
from digest.intake.links import host_of, site_of
from digest.intake.network import deadline, refuse_port
from digest.intake.robots import RobotsCache, Rules, rules_of
from digest.intake.turns import Turns
from digest.intake.waiting import retry_after_s
from digest.model import RawFeed

AGENT = "council-digest"
ACCEPT = (
    "application/rss+xml, application/atom+xml;q=0.9, application/feed+json;q=0.9, text/xml;q=0.8, */*;q=0.5"
)


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """What to ask. ``etag`` and ``last_modified``: validators of the last body that parsed, as sent."""

    url: str
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The server says nothing changed (304); header names in lower case."""

    url: str
    headers: dict[str, str]
    fetched_at: datetime
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Seconds and bytes of one fetch; ``host_pause_s`` between two fetches of one host group."""

    connect_s: float = 10.0
    read_s: float = 60.0
    total_s: float = 120.0
    raw_bytes: int = 2_000_000
    decoded_bytes: int = 10_000_000
    redirects: int = 5
    host_pause_s: float = 5.0
    connections: int = 128


class Fetcher:
    """Fetches feeds; one object for many threads. ``contact`` stands in the User-Agent.

    ``group_of(url)`` names the host group that takes turns: order work by it, so that threads do not
    wait for one another.
    """

    def __init__(
        self,
        *,
        contact: str,
        version: str = "0.1",
        limits: FetchLimits | None = None,
        allow_private_addresses: bool = False,
        respect_robots: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.limits = limits or FetchLimits()
        self.user_agent = f"{AGENT}/{version}" + (f" (+{contact})" if contact else "")
        self._allow_private = allow_private_addresses
        self._now = now
        self._robots = RobotsCache() if respect_robots else None
        self._turns = Turns(
            self.limits.host_pause_s,
            open_most=self.limits.connections,
            waits=Waits(self.limits.connect_s, self.limits.read_s),
            allow_private_addresses=allow_private_addresses,
        )
        agent = self.user_agent.encode("ascii", "replace").decode("ascii")
        self._head = f"User-Agent: {_one_line(agent)}\r\nAccept: {ACCEPT}\r\nAccept-Encoding: gzip\r\n"

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._turns.close()

    def group_of(self, url: str) -> str:
        """Whose server it is: a vendor's hosts are one group."""
        return group_of(url)

    def fetch(self, request: FeedRequest) -> RawFeed | NotModified:
        """The body behind ``request.url``, after redirects.

        Raises: FetchError (``timeout``, ``http``, ``refused_address``, ``too_large``), with
            ``is_blocked`` where a gatekeeper or robots.txt keeps us out.
        """
        url, moved_to, is_permanent = request.url, None, True
        with deadline(self.limits.total_s):
            for _ in range(self.limits.redirects + 1):
                answer = self._ask(url, request)
                if answer.target is None:
                    return self._result(request, url, answer, moved_to)
                is_permanent = is_permanent and answer.status in (301, 308)
                url = redirected(url, answer.target)
                moved_to = url if is_permanent else moved_to
        raise FetchError("http", f"{request.url} redirects more than {self.limits.redirects} times")

    def _result(
        self, request: FeedRequest, url: str, answer: _Answer, moved_to: str | None
    ) -> RawFeed | NotModified:
        if answer.status == 304:
            return NotModified(request.url, answer.headers, self._now(), moved_to)
        if not 200 <= answer.status < 300:
            raise _refusal(url, answer, self._now())
        return RawFeed(request.url, url, answer.status, answer.headers, answer.body, self._now(), moved_to)

    def _ask(self, url: str, request: FeedRequest) -> _Answer:
        place = _place_of(url)
        refuse_port(place.port, url, allow_private_addresses=self._allow_private)
        try:
            with self._turns.of(place.group, place.origin) as connection:
                self._ask_robots(connection, url)
                return self._exchange(connection, url, request)
        except TimeoutError as error:
            raise FetchError("timeout", f"{url} did not answer in time ({_brief(error)})") from error
        except (HTTPException, OSError) as error:
            raise FetchError("http", f"{url} could not be reached: {_brief(error)}") from error

    def _ask_robots(self, connection: Connection, url: str) -> None:
        """Raises: FetchError where the host's robots.txt (read once a day) keeps this program out."""
        if self._robots is None:
            return
        rules = self._robots.known(url)
        if rules is None:
            rules = self._robots.remember(url, self._read_robots(connection, url))
        if not rules.allow(url):
            raise FetchError(
                "http", f"robots.txt of {host_of(url)} keeps programs out of {url}", is_blocked=True
            )

    def _read_robots(self, connection: Connection, url: str) -> Rules:
        """RFC 9309, 2.3.1: no file (4xx) allows all, a failing server (5xx) nothing for the time being."""
        address = urljoin(url, "/robots.txt")
        try:
            answer = self._exchange(connection, address, FeedRequest(address))
        except FetchError:
            return Rules()
        if answer.status >= 500:
            return Rules(is_unavailable=True)
        if answer.status != 200 or answer.target is not None:
            return Rules()
        return rules_of(answer.body.decode("utf-8", "replace"), agent=AGENT)

    def _exchange(self, connection: Connection, url: str, request: FeedRequest) -> _Answer:
        response = connection.ask(self._request(url, request))
        try:
            return self._answer(response, url)
        finally:
            connection.finish(response)

    def _answer(self, response: HttpAnswer, url: str) -> _Answer:
        headers = response.fields
        target = headers.get("location") if response.status in (301, 302, 303, 307, 308) else None
        if target is not None or response.status == 304:
            _drain(response)
            return _Answer(response.status, headers, b"", target)
        encoding = headers.get("content-encoding", "identity")
        body = unpacked_body(response.pieces(), encoding=encoding, url=url, limits=self.limits)
        return _Answer(response.status, headers, body)

    def _request(self, url: str, request: FeedRequest) -> bytes:
        """The head of a GET. Validators go only to the site that gave them."""
        place = _place_of(url)
        lines = f"GET {place.target} HTTP/1.1\r\nHost: {place.authority}\r\n{self._head}"
        is_same_site = url == request.url or site_of(place.host) == site_of(host_of(request.url))
        if is_same_site and request.etag:
            lines += f"If-None-Match: {_one_line(request.etag)}\r\n"
        if is_same_site and request.last_modified:
            lines += f"If-Modified-Since: {_one_line(request.last_modified)}\r\n"
        return f"{lines}\r\n".encode("latin-1", "replace")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""
    target: str | None = None


# Vendors that serve many councils from shared machines: their hosts take turns as one.
_SHARED_VENDORS = ("moderngov.co.uk", "cmis.uk.com", "legistar.com", "granicus.com", "primegov.com",
                   "escribemeetings.com", "civicplus.com")  # fmt: skip


def group_of(url: str) -> str:
    """The host group of an address: the vendor's domain, else host and port; "" for what is no address."""
    try:
        return _place_of(url).group
    except FetchError:
        return ""


def _group(host: str, port: int | None) -> str:
    for vendor in _SHARED_VENDORS:
        if host.endswith("." + vendor):
            return vendor
    return f"{host}:{port}" if port else host


@dataclass(frozen=True, slots=True)
class _Place:
    """An address taken apart. ``port``: as written, None where it is the scheme's own.

    ``host`` and ``authority`` in ASCII; ``target``: path and query as they stand in the request.
    """

    origin: Origin
    host: str
    port: int | None
    authority: str
    target: str
    group: str


_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_AS_WRITTEN = "".join(map(chr, range(0x21, 0x7F)))


@lru_cache(maxsize=4_096)
def _place_of(url: str) -> _Place:
    """Raises: FetchError for an address that may not be asked."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
        host = (name or "").encode("idna" if not (name or "").isascii() else "ascii").decode("ascii")
    except ValueError as error:
        raise FetchError("http", f"{url[:200]} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or _ODD.search(url):
        raise FetchError("refused_address", f"{url[:200]} is no http or https address")
    if "@" in parts.netloc:
        raise FetchError("refused_address", f"{host}: an address with a name or password in it is refused")
    query = f"?{parts.query}" if parts.query else ""
    shown = f"[{host}]" if ":" in host else host
    return _Place(
        origin=Origin(parts.scheme, host, port or (443 if parts.scheme == "https" else 80)),
        host=host,
        port=port,
        authority=shown if port is None else f"{shown}:{port}",
        target=quote((parts.path or "/") + query, safe=_AS_WRITTEN),
        group=_group(host.rstrip("."), port),
    )


def _one_line(value: str) -> str:
    """A header's value: what a server once sent must not become a header of its own."""
    return " ".join(value.split()) if not value.isprintable() else value


def redirected(url: str, target: str) -> str:
    """Where a redirect leads. Raises: FetchError where it would leave https."""
    found = urljoin(url, target.strip())
    if url.startswith("https:") and not found.startswith("https:"):
        raise FetchError("http", f"{url} redirects to {found[:200]}, which is not https")
    return found


def _refusal(url: str, answer: _Answer, now: datetime) -> FetchError:
    """A status that gives no body. A challenge page is a refusal, whatever its status."""
    is_challenge = answer.headers.get("cf-mitigated", "").lower() == "challenge"
    wait = retry_after_s(answer.headers.get("retry-after"), now=now)
    if answer.status in (401, 403) or is_challenge:
        message = f"{url} refuses us ({answer.status}): ask the council to let this program in"
        return FetchError("http", message, status=answer.status, retry_after_s=wait, is_blocked=True)
    return FetchError("http", f"{url} answers {answer.status}", status=answer.status, retry_after_s=wait)


_DRAINED = 65_536


def _drain(response: HttpAnswer) -> None:
    """Read what nobody wants, if it is little: a connection can be used again only when it is empty."""
    size = 0
    for piece in response.pieces():
        size += len(piece)
        if size > _DRAINED:
            return


def unpacked_body(
    chunks: Iterable[bytes], *, encoding: str, url: str, limits: FetchLimits | None = None
) -> bytes:
    """The body in ``chunks`` as its content-encoding packs it, counted while it is unpacked.

    ``encoding``: ``identity | gzip | x-gzip | deflate``. A body that ends too early gives what came.
    Raises: FetchError (``too_large``, ``truncated`` for damaged data, ``http`` for another encoding).
    """
    limits = limits or FetchLimits()
    encoding = encoding.strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise FetchError("http", f"{url} answers in the encoding {encoding[:40]}, which was not asked for")
    unpack = (
        zlib.decompressobj(47 if "gzip" in encoding else 15) if encoding not in ("identity", "") else None
    )
    raw_size, pieces, size = 0, [], 0
    for chunk in chunks:
        raw_size += len(chunk)
        if raw_size > limits.raw_bytes:
            raise FetchError("too_large", f"{url} sends more than {limits.raw_bytes} bytes")
        for piece in (chunk,) if unpack is None else _unpacked(unpack, chunk, url):
            size += len(piece)
            if size > limits.decoded_bytes:
                raise FetchError("too_large", f"{url} unpacks to more than {limits.decoded_bytes} bytes")
            pieces.append(piece)
    return b"".join(pieces)


_PIECE = 65_536


def _unpacked(unpack: zlib._Decompress, chunk: bytes, url: str) -> Iterator[bytes]:
    """Pieces of at most 64 kB: a bomb is stopped at the cap, not after it."""
    try:
        while chunk:
            piece = unpack.decompress(chunk, _PIECE)
            chunk = unpack.unconsumed_tail
            if not piece:
                return
            yield piece
    except zlib.error as error:
        raise FetchError("truncated", f"{url} sends damaged compressed data ({error})") from error


def _brief(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
