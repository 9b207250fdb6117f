"""Who is at the desk: an operator with a session, or whoever sits at this machine (`digest preview`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from digest.model import Role, fingerprint_of
from digest.pipeline import operators
from digest.web.site import Site

COOKIE = "operator"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# A proxy in front would make the whole world look like this machine.
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Who:
    """The operator of a request. ``session`` names their browser in seals of forms."""

    name: str
    role: Role
    session: str


class Access(Protocol):
    """Tells who asks. Raises: HTTPException when nobody may."""

    is_local: bool

    def who(self, request: Request) -> Who:
        """The operator behind that request."""
        ...


class SignedIn:
    """Operators with an account: their session's secret is in a cookie."""

    is_local = False

    def __init__(self, site: Site) -> None:
        self._site = site

    def who(self, request: Request) -> Who:
        """The signed-in operator; anybody else is led to the sign-in page."""
        secret = request.cookies.get(COOKIE, "")
        found = (
            operators.signed_in(self._site.hall.database, secret, now=self._site.now()) if secret else None
        )
        if found is None:
            here = request.scope["path"]
            if request.method == "GET" and request.url.query:
                here += f"?{request.url.query}"
            back = quote(here, safe="/") if request.method == "GET" else "/operator"
            raise HTTPException(303, headers={"Location": f"{self._site.root}/operator/sign-in?next={back}"})
        return Who(found.name, found.role, fingerprint_of(secret))


class Local:
    """Whoever sits at this machine, for a server on the loopback only.

    A page of a stranger could make this browser ask us under another name (DNS rebinding), so the Host
    must be the loopback's; and a proxy's requests are refused, since they come from elsewhere.
    """

    is_local = True

    def who(self, request: Request) -> Who:
        """Somebody at this machine."""
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        client = request.client.host if request.client else ""
        if host not in _LOOPBACK or client not in _LOOPBACK:
            raise HTTPException(403, "the preview answers only to this machine, by the name of localhost")
        if any(name in request.headers for name in _PROXY_HEADERS):
            raise HTTPException(403, "the preview answers no proxy: use `digest serve` and sign in")
        return Who("this machine", Role.ADMIN, "local")
