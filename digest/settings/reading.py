"""Settings from the text of a digest.toml and a mapping of variables; every complaint names its mend."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as PydanticSettingsError

from digest.errors import SettingsError
from digest.settings.options import ENV_PREFIX, Settings, SummarySettings
from digest.settings.table import fields, nearest, refuse_unknown, settings_table, variable

NOT_OPTIONS = frozenset({"DIGEST_CONFIG", "DIGEST_NOW"})
"""Variables that the entrances read themselves: where digest.toml lies, and the clock."""


def load_settings(path: str | None, environ: Mapping[str, str], *, toml_text: str | None = None) -> Settings:
    """The settings of one digest.toml (none: defaults) and the variables in ``environ``, which win.

    ``toml_text`` stands in for the file's content. Relative paths (database, templates, outbox, inbox)
    are meant from the folder of ``path``.

    Raises: SettingsError that names each wrong option, where it stands and the mend.
    """
    place = path or "digest.toml"
    from_file = _flat(_parsed(_text_of(path) if toml_text is None else toml_text, place))
    from_env = {key: environ[key] for key in environ if key.startswith(ENV_PREFIX) and key not in NOT_OPTIONS}
    names = {variable(name): name for name, _ in fields()}
    refuse_unknown({key: f"{key} in {place}" for key in from_file})
    _refuse_unknown_variables(from_env, names)
    given = {name: f"{name} in {place}" for name in from_file} | {names[key]: key for key in from_env}
    settings = _checked(from_file, from_env, given)
    if settings.sendgrid.api_key is None and (key := environ.get("SENDGRID_API_KEY")):
        with_key = settings.sendgrid.model_copy(update={"api_key": SecretStr(key)})
        settings = settings.model_copy(update={"sendgrid": with_key})
    return _anchored(settings, Path(path).parent) if path else settings


def _text_of(path: str | None) -> str:
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", error)
        raise SettingsError(
            f"{path} cannot be read ({why}): give another --config, or `digest init`"
        ) from error


def _parsed(text: str, place: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{place} is not valid TOML: {error}{_line_of(text, str(error))}") from error


def _line_of(text: str, said: str) -> str:
    """The line that is meant, unless it may hold a secret."""
    found = re.search(r"at line (\d+)", said)
    lines = text.splitlines()
    if found is None or not 0 < int(found[1]) <= len(lines):
        return ""
    line = lines[int(found[1]) - 1].strip()
    if re.search(r"key|password|secret|database_url", line, re.IGNORECASE):
        return ""
    return f": {line[:80]} (texts stand in quotes; true and false are small)"


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Options by dotted name; ``reply-to`` and ``reply_to`` are one. Tables that are options stay whole."""
    whole = {name for name, field in fields() if "dict" in str(field.annotation)}
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = prefix + key.replace("-", "_")
        if isinstance(value, dict) and name not in whole:
            found |= _flat(value, f"{name}.")
        else:
            found[name] = value
    return found


def _refuse_unknown_variables(given: Mapping[str, str], names: Mapping[str, str]) -> None:
    for key in given:
        if key not in names:
            near = nearest(key, [*names, *sorted(NOT_OPTIONS)])
            raise SettingsError(f"the environment variable {key} is no option: did you mean {near}?")


class _GivenVariables(EnvSettingsSource):
    """pydantic-settings' reading of variables, from a mapping instead of the process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = {key.lower(): value for key, value in environ.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given


def _checked(from_file: Mapping[str, Any], from_env: Mapping[str, str], given: Mapping[str, str]) -> Settings:
    tree: dict[str, Any] = {}
    for name, value in [*from_file.items(), *_flat(_read_variables(from_env)).items()]:
        *sections, short = name.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[short] = value
    try:
        return Settings(**tree)
    except ValidationError as error:
        raise SettingsError("\n".join(_complaints(error, given))) from None


def _read_variables(from_env: Mapping[str, str]) -> dict[str, Any]:
    try:
        return _GivenVariables(from_env)()
    except PydanticSettingsError as error:
        raise SettingsError(f"a DIGEST_ variable cannot be read: {error}; write tables as JSON") from None


def _complaints(error: ValidationError, given: Mapping[str, str]) -> Iterator[str]:
    """One line an option: place, value (unless secret), what is wrong, the default as an example."""
    rows = {row.name: row for row in settings_table()}
    for problem in error.errors():
        parts = [str(part) for part in problem["loc"]]
        longest_first = (".".join(parts[:n]) for n in (3, 2, 1))
        name = next((n for n in longest_first if n in rows), ".".join(parts))
        row = rows.get(name)
        value = "" if row is None or row.is_secret else f" = {problem['input']!r}"
        default = f" (default: {row.default})" if row is not None and row.default else ""
        says = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should")
        # Without a name: options that contradict each other, which the sentence names itself.
        yield f"{given.get(name, name)}{value}: {says}{default}" if name else says


_SQLITE_FILE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!:memory:)([^?]+)(.*)")


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The settings with relative paths meant from ``folder``."""
    update: dict[str, object] = {}
    if match := _SQLITE_FILE.fullmatch(settings.database_url):
        update["database_url"] = f"{match[1]}{(folder / match[2]).as_posix()}{match[3]}"
    directory = folder / settings.outbox.directory
    update["outbox"] = settings.outbox.model_copy(update={"directory": directory})
    if settings.templates is not None:
        update["templates"] = folder / settings.templates
    if settings.summaries.inbox is not None:
        update["summaries"] = SummarySettings(inbox=folder / settings.summaries.inbox)
    return settings.model_copy(update=update)
