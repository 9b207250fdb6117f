"""How the desk answers with many readers behind it: each page paged, and quick beside its like with a few."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import create_engine, make_url

from digest.model import Role
from digest.pipeline import operators
from digest.web.app import create_app
from tests.benchmarks.run_rows import NOW
from tests.integration.web.conftest import serving
from tests.trial import paths

PAGES = (
    "", "/runs", "/runs/1", "/runs/next", "/letters", "/letters?q=reader77@example.org",
    "/summaries?state=published", "/summaries/1", "/councils", "/councils/council-1", "/feeds",
    "/subscribers", "/subscribers?council=council-1", "/subscribers?q=reader99", "/subscribers/77",
    "/suppressions", "/notices", "/audit",
)  # fmt: skip
_WORDS = "four words make one"
_TIMES = 5
MOST_SLOWER, MOST_LARGER = 10, 4
"""So many times the time, and the bytes, of the same page with a few readers; a list is a page of 50."""
FEW = 400


@dataclass(frozen=True)
class Answer:
    """How long a page took, at best of some, in seconds; how large it was, in bytes."""

    seconds: float
    size: int


def beside(url: str) -> str:
    """One more empty database of that kind, in the same place."""
    found = make_url(url)
    name = f"{found.database}_few"
    if found.get_backend_name() != "sqlite":
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
    return found.set(database=name).render_as_string(hide_password=False)


def answers(url: str, folder: Path, readers: int) -> dict[str, Answer]:
    """Every page of a desk behind which so many readers have had a letter each."""
    folder.mkdir(parents=True)
    paths.town(url, readers).close()
    hall = paths.hall_of(url, folder, NOW)
    operators.add(hall.database, "ada", role=Role.ADMIN, password=_WORDS, actor="trial", now=NOW)
    try:
        with serving(create_app(hall)) as address, httpx.Client(base_url=address, timeout=120) as http:
            http.post("/operator/sign-in", data={"name": "ada", "password": _WORDS})
            return {page: _asked(http, f"/operator{page}") for page in PAGES}
    finally:
        hall.close()


def faults(few: dict[str, Answer], many: dict[str, Answer]) -> list[str]:
    """Pages that take longer, or are larger, with many readers than they may."""
    slower = {page: many[page].seconds / few[page].seconds for page in PAGES}
    return grown(few, many) + [
        f"/operator{page} takes {times:.0f} times as long: {many[page].seconds:.2f} s"
        for page, times in slower.items()
        if times > MOST_SLOWER
    ]


def grown(few: dict[str, Answer], many: dict[str, Answer]) -> list[str]:
    """Pages that are larger with many readers than they may be."""
    # A page that has less than a page of rows with a few readers is full with many.
    full = few["/subscribers"].size
    return [
        f"/operator{page} is {many[page].size} bytes"
        for page in PAGES
        if many[page].size > MOST_LARGER * max(few[page].size, full)
    ]


def _asked(http: httpx.Client, path: str) -> Answer:
    best = float("inf")
    for _ in range(_TIMES):
        began = time.perf_counter()
        got = http.get(path)
        best = min(best, time.perf_counter() - began)
        if got.status_code != 200:
            raise AssertionError(f"{path} answers {got.status_code}")
    return Answer(best, len(got.content))
