"""The demo on a fresh machine: from feed to letter with one command, from checkout and wheel."""

from __future__ import annotations

import email
import email.policy
import os
import subprocess
import sys
import sysconfig
import venv
from email.message import EmailMessage
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import skip_loudly

ROOT = Path(__file__).resolve().parent.parent.parent


def digest(
    python: Path, folder: Path, *words: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DIGEST_", "PYTHON"))}
    if path is not None:
        environment["PYTHONPATH"] = path
    return subprocess.run(
        [str(python), "-m", "digest", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The folder of a demo that ran twice, and the table of each."""
    folder = tmp_path_factory.mktemp("demo")
    done = [digest(Path(sys.executable), folder, "demo", path=str(ROOT)) for _ in range(2)]
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    return folder / "demo", done[0].stdout, done[1].stdout


def letters(folder: Path) -> list[EmailMessage]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted((folder / "outbox").rglob("*.eml"))
    ]


@pytest.mark.slow
def test_the_demo_twice_prints_the_same_table(demo: tuple[Path, str, str]) -> None:
    _, first, second = demo
    assert first == second


@pytest.mark.slow
def test_the_demos_table_has_letters_and_as_many_files(demo: tuple[Path, str, str]) -> None:
    folder, table, _ = demo
    row = next(line for line in table.splitlines() if "letters written" in line)
    counted = int("".join(c for c in row if c.isdigit()))
    assert counted == len(letters(folder)) > 0


@pytest.mark.slow
def test_every_letter_is_to_one_reader_and_each_reader_has_one(demo: tuple[Path, str, str]) -> None:
    readers = [str(letter["To"]) for letter in letters(demo[0])]
    assert len(readers) == len(set(readers)) > 0
    assert all("@" in reader and "," not in reader for reader in readers)


@pytest.mark.slow
def test_every_letter_can_be_left_with_one_click(demo: tuple[Path, str, str]) -> None:
    for letter in letters(demo[0]):
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"  # RFC 8058, 3.1
        assert "/unsubscribe/" in letter["List-Unsubscribe"]


@pytest.mark.slow
def test_every_letter_has_its_text_before_its_html(demo: tuple[Path, str, str]) -> None:
    kinds = set()
    for letter in letters(demo[0]):
        assert letter["Subject"]
        parts = [part.get_content_type() for part in letter.walk() if not part.is_multipart()]
        assert parts[0] == "text/plain"  # RFC 2046, 5.1.4: the best form comes last
        kinds.add(tuple(parts))
    assert ("text/plain", "text/html") in kinds
    assert kinds <= {("text/plain", "text/html"), ("text/plain",)}


# --- from the wheel ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and sees our libraries, but not the checkout."""
    if find_spec("hatchling") is None:
        skip_loudly("hatchling is not installed: without it no wheel is built but over the network")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*build, "--wheel-dir", str(folder), str(ROOT)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = next((folder / "env" / "lib").glob("python*/site-packages"))
    unpack = [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)]
    subprocess.run(unpack, check=True)
    # A plain path: what is editable in there stays out, because only a .pth file of a site folder is read.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.slow
def test_the_wheel_runs_init_and_demo_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [str(installed), "-c", "import digest; print(digest.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(where).is_relative_to(installed.parent.parent)
    assert digest(installed, tmp_path, "init").returncode == 0
    assert (tmp_path / "digest.toml").is_file()
    done = digest(installed, tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    assert letters(tmp_path / "demo")
