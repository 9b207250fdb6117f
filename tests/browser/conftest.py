"""A real Chromium for the tests that look: installed by the test run where it is missing and may be."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import skip_loudly

# No look-ups and no updates from a browser under test; as root there is no sandbox to have.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Debian's Chromium, or any other on the path."""
    return program("chromium", "chromium-browser", "google-chrome", package="chromium")


@pytest.fixture(scope="session")
def spamassassin() -> Path:
    """SpamAssassin with the rules that its Debian package brings."""
    return program("spamassassin", package="spamassassin")


def program(*names: str, package: str) -> Path:
    """The first of these programs on the path; Debian's package is installed where that is allowed."""
    for is_last in (False, True):
        for name in names:
            if found := shutil.which(name):
                return Path(found)
        if not is_last and shutil.which("apt-get") and os.geteuid() == 0:
            _install(package)
    skip_loudly(f"no {names[0]} here: install Debian's package {package}")
    raise AssertionError("unreachable")


def _install(package: str) -> None:
    """One installation at a time: test processes run side by side, apt does not."""
    with (Path(tempfile.gettempdir()) / "digest-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
            subprocess.run(["apt-get", *words], check=False, capture_output=True)


@pytest.fixture(scope="session")
def chromium(chromium_path: Path) -> Iterator[Browser]:
    """One headless browser for the whole run."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium_path), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as axe-playwright-python packs it."""
    try:
        return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        skip_loudly("axe-playwright-python is not installed: make test installs it")
        raise AssertionError("unreachable") from None
