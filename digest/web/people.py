"""The pages of residents' own subscriptions as one router, with the thread that sends what they ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from digest.web import account, confirm, preferences, sample, subscribe, unsubscribe
from digest.web.background import running
from digest.web.site import Site

PARTS = (
    unsubscribe.router_of,
    subscribe.router_of,
    confirm.router_of,
    preferences.router_of,
    account.router_of,
    sample.router_of,
)


def router_of(site: Site) -> APIRouter:
    """All of them; the thread lives as long as the server."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Compiling takes a second: before anybody waits for a letter.
        site.background.soon("compile templates", lambda: site.hall.skeleton)
        async with running(site.background):
            yield

    router = APIRouter(lifespan=lifespan)
    for part in PARTS:
        router.include_router(part(site))
    return router
