"""What is in ``deploy/`` fits the program: commands, options and files that it names are there."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from digest.errors import SettingsError
from digest.settings import load_settings
from tests.unit.test_docs import ROOT, why_wrong

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def services() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])


def ours() -> dict[str, list[str]]:
    """Service -> the words that it gives to the program."""
    return {name: one["command"] for name, one in services().items() if "command" in one}


def steps(word: str) -> Iterator[list[str]]:
    """The arguments of each such step of the container file, in order."""
    whole = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    for line in whole.splitlines():
        if line.startswith(f"{word} "):
            yield shlex.split(line.removeprefix(word))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_is_there(unit: Path) -> None:
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    program, config, path, *words = shlex.split(line.removeprefix("ExecStart="))
    assert (Path(program).name, config, Path(path).suffix) == ("digest", "--config", ".toml")
    assert why_wrong(shlex.join(["digest", *words])) is None


def test_there_is_a_unit_and_a_service_for_each_process_of_an_installation() -> None:
    started = {unit.read_text().partition("digest.toml ")[2].split()[0] for unit in UNITS}
    assert started == {"serve", "scheduler", "worker", "db"} == {words[0] for words in ours().values()}


@pytest.mark.parametrize("service", ours())
def test_a_service_runs_a_command_that_is_there_once_the_database_is_upgraded(service: str) -> None:
    assert why_wrong(shlex.join(["digest", *ours()[service]])) is None
    waits = services()[service]["depends_on"]
    expected = (
        ("postgres", "service_healthy")
        if service == "upgrade"
        else ("upgrade", "service_completed_successfully")
    )
    assert {name: how["condition"] for name, how in waits.items()} == dict([expected])


def test_the_environment_s_every_variable_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DIGEST_")]:
        monkeypatch.delenv(name)
    lines = [
        line for line in (DEPLOY / "digest.env.example").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    given = {name: value or "k" * 43 for name, _, value in (line.partition("=") for line in lines)}
    settings = load_settings(None, given)
    assert settings.queue.engine == "procrastinate"
    assert settings.secret_key.get_secret_value() == "k" * 43
    with pytest.raises(SettingsError, match=r"(?i)sender_name"):
        load_settings(None, given | {"DIGEST_SENDER_NAME": "x"})


def test_the_image_is_given_all_that_the_package_is_built_of() -> None:
    copied = {source for words in steps("COPY") if not words[0].startswith("--") for source in words[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "pyproject.toml"}
    assert wanted | set(project["project"]["license-files"]) <= copied
