"""The container file's own steps, done here without an engine, and its services as processes.

What is copied is all that the build sees; what the build leaves is all that the services have. They run in
an empty folder, with the example's environment alone, on a PostgreSQL of the trial's own.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.test_deploy import DEPLOY, ROOT, ours, services, steps

PREFIX = "/opt/council-digest"
MOST_S = 120
GRACE_S = 30


@dataclass
class Image:
    """What the build leaves, and the processes that were started of it."""

    folder: Path
    environment: dict[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The volume: empty at first."""
        return self.folder / "home"

    @property
    def digest(self) -> Path:
        """The program as installed."""
        return self.folder / "opt" / "bin" / "digest"

    def call(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """A service that ends by itself."""
        return subprocess.run(
            [self.digest, *words],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=MOST_S,
            check=False,
        )

    def start(self, name: str, words: list[str]) -> None:
        """A service that stays."""
        own = [
            str(self.port) if word == "8000" else "127.0.0.1" if word == "0.0.0.0" else word for word in words
        ]
        with (self.folder / f"{name}.txt").open("wb") as said:
            self.processes[name] = subprocess.Popen(
                [self.digest, *own], cwd=self.home, env=self.environment, stdout=said, stderr=said
            )

    def stop(self) -> list[str]:
        """SIGTERM to all; who did not leave in order and in time."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        found = []
        for name, process in self.processes.items():
            try:
                code = process.wait(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = -signal.SIGKILL
            # uvicorn gives itself the signal again once it has shut down; managers take it for a good end.
            is_fine = code == 0 or (name.startswith("web") and code == -signal.SIGTERM)
            found += [] if is_fine else [f"{name} ended {code}"]
        return found


def built(folder: Path, url: str) -> Image:
    """Every COPY and RUN of the build stage, below ``folder``. Raises: CalledProcessError."""
    source, opt = folder / "src", folder / "opt"
    source.mkdir()
    for words in steps("COPY"):
        if words[0].startswith("--"):
            continue  # from the build stage to the image: it is in its place already
        *these, to = words
        for one in these:
            if (ROOT / one).is_dir():
                shutil.copytree(ROOT / one, source / to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / one, source / to)
    build = shlex.join(next(steps("RUN"))).replace("'&&'", "&&").replace(PREFIX, str(opt))
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    clean |= {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    subprocess.run(["bash", "-ec", build], cwd=source, env=clean, capture_output=True, check=True)
    shutil.rmtree(source)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    image = Image(folder, _environment(url, opt), port)
    image.home.mkdir()
    return image


def _environment(url: str, opt: Path) -> dict[str, str]:
    """The example with its blanks filled in, and what the container file sets."""
    lines = (DEPLOY / "digest.env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    filled = {name: value or "k" * 43 for name, value in given.items()}
    return filled | {"DIGEST_DATABASE_URL": url, "PATH": f"{opt}/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}


def tried(image: Image) -> list[str]:
    """Start everything as the compose file does, wait until it is well, ask it to leave; what was wrong."""
    upgrade = image.call(ours()["upgrade"])
    if upgrade.returncode:
        return [f"upgrade ended {upgrade.returncode}: {upgrade.stderr[-500:]}"]
    found = [] if image.call(ours()["upgrade"]).returncode == 0 else ["a second upgrade failed"]
    try:
        for name, words in ours().items():
            copies = services()[name].get("deploy", {}).get("replicas", 1)
            for n in range(copies if name != "upgrade" else 0):
                image.start(f"{name} {n + 1}", words)
        found += [] if _is_well(image) else ["not ready after two minutes"]
        ended = [name for name, process in image.processes.items() if process.poll() is not None]
        found += [f"{name} ended by itself" for name in ended]
    finally:
        found += image.stop()
    return found


def _is_well(image: Image) -> bool:
    """Whether the compose file's own question is answered, and every process has said that it works."""
    check = services()["web"]["healthcheck"]["test"][1:]
    asked = [word.replace(":8000", f":{image.port}") for word in check]
    until = time.monotonic() + MOST_S
    while time.monotonic() < until:
        said = [(image.folder / f"{name}.txt").read_bytes() for name in image.processes if "web" not in name]
        python = str(image.digest.parent / asked[0])
        done = subprocess.run([python, *asked[1:]], capture_output=True, check=False)
        if done.returncode == 0 and all(b" started" in text for text in said):
            return True
        time.sleep(0.5)
    return False
