"""A letter as a picture, by the Chromium of this machine, asked without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from digest.errors import RenderError, UsageError

WIDTH_PX = 700
LONGEST_PX = 16_000  # what Chromium can hold as one picture
TIMEOUT_S = 60
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_MEASURE = b"<script>document.title = 'px' + document.documentElement.scrollHeight</script>"


def picture_of(html: bytes) -> bytes:
    """The whole letter as a PNG, 700 px wide.

    Raises: UsageError without a Chromium, RenderError when it gives no picture.
    """
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise UsageError(
            "--format png needs Chromium, and there is none on the path: install it, or use html"
        )
    with tempfile.TemporaryDirectory(prefix="digest-picture-") as folder:
        letter, picture = Path(folder) / "letter.html", Path(folder) / "letter.png"
        letter.write_bytes(html + _MEASURE)
        told = _asked(program, folder, "--dump-dom", letter.as_uri())
        height = re.search(rb"<title>px(\d+)", told)
        tall = min(int(height[1]), LONGEST_PX) if height else LONGEST_PX
        letter.write_bytes(html)
        _asked(program, folder, f"--screenshot={picture}", letter.as_uri(), height_px=tall)
        if not picture.exists():
            raise RenderError(f"{program} made no picture: open the letter as html and print it from there")
        return picture.read_bytes()


def _asked(program: str, folder: str, *words: str, height_px: int = 800) -> bytes:
    # As root there is no sandbox to have; the letter holds no script and reaches no network.
    flags = [*FLAGS, f"--user-data-dir={folder}/profile", f"--window-size={WIDTH_PX},{height_px}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    try:
        done = subprocess.run([program, *flags, *words], capture_output=True, check=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        raise RenderError(f"{program} failed ({error}): open the letter as html instead") from error
    return done.stdout
