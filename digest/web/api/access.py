"""Who asks: bearer keys (RFC 6750), what they open, and how often they may ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItemPerMinute

from digest.pipeline import keys
from digest.store.keys import Key, Scope
from digest.web.api.problems import ProblemError
from digest.web.limits import network_of
from digest.web.site import Site

PER_KEY = RateLimitItemPerMinute(600)
"""Ten a second: a whole country's meetings in a minute, and no more than the database is glad of."""
WRONG_PER_NETWORK = RateLimitItemPerMinute(60)
"""Keys cannot be guessed; this keeps a misconfigured program from filling the log."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="council digest"'}
_BEARER = HTTPBearer(auto_error=False, description="A key made with `digest api-key create`")

Allowed = Callable[..., None]


def allowed(site: Site, scope: Scope) -> Allowed:
    """A dependency that lets in keys with that scope; it raises Problems 401, 403 and 429."""

    def check(
        request: Request, found: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
    ) -> None:
        if found is None:
            raise ProblemError(
                401, "a key is needed: send the header `Authorization: Bearer dgk_…`", headers=_CHALLENGE
            )
        key = keys.known(site.hall.database, found.credentials, now=site.now())
        if key is None:
            _count_wrong(site, request)
            wrong = {"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'}
            raise ProblemError(401, "the key is unknown or revoked: ask the operator for one", headers=wrong)
        if not site.limits.hit(PER_KEY, "api", str(key.id)):
            raise ProblemError(
                429, f"more than {PER_KEY.amount} requests in a minute: wait", headers={"Retry-After": "60"}
            )
        if scope not in key.scopes:
            raise ProblemError(
                403, f"the key {key.name!r} does not open {scope}: ask the operator for one that does"
            )
        request.state.key = key

    return check


def actor_of(request: Request) -> str:
    """Whose key it was, as the audit log names it."""
    key: Key = request.state.key
    return f"key:{key.id} {key.name}"


def _count_wrong(site: Site, request: Request) -> None:
    network = network_of(request.client.host) if request.client else ""
    if not site.limits.hit(WRONG_PER_NETWORK, "api key", network):
        raise ProblemError(429, "too many wrong keys from this network: wait", headers={"Retry-After": "60"})
