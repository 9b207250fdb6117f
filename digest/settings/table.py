"""The table of options: as rows for documentation, and as a commented digest.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from digest.errors import SettingsError
from digest.settings.options import ENV_PREFIX, Section, Settings
from digest.settings.values import UNITS


@dataclass(frozen=True, slots=True)
class Row:
    """One option, as documentation shows it. ``default`` is written as in digest.toml; "" means none."""

    name: str
    variable: str
    type: str
    default: str
    help: str
    is_secret: bool


def settings_table() -> list[Row]:
    """Every option, top-level ones first, then section by section in the order of digest.toml."""
    return [_row(name, field) for name, field in fields()]


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every option with its dotted name, in the order of the file."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + (field.alias or name), field


def _row(name: str, field: FieldInfo) -> Row:
    is_secret = "SecretStr" in str(field.annotation)
    default = field.default
    return Row(
        name=name,
        variable=variable(name),
        type=_type_word(field),
        default="" if is_secret or default is None else _as_toml(default),
        help=field.description or "",
        is_secret=is_secret,
    )


def variable(name: str) -> str:
    """The variable that sets an option."""
    return ENV_PREFIX + name.replace(".", "__").upper()


_TYPE_WORDS = {
    "timedelta": "duration", "bool": "true or false", "int": "whole number", "float": "number",
    "tuple": "list", "dict": "table", "Path": "path", "Literal": "word", "Detail": "word",
}  # fmt: skip


def _type_word(field: FieldInfo) -> str:
    shown = str(field.annotation)
    return next((word for mark, word in _TYPE_WORDS.items() if re.search(rf"\b{mark}\b", shown)), "text")


def _as_toml(value: object) -> str:
    """A value as digest.toml writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, timedelta):
        return f'"{_duration_text(value)}"'
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f" {json.dumps(key)} = {_as_toml(inner)} " for key, inner in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_as_toml, value)) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def _duration_text(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    unit = next(u for u in "dhms" if seconds % UNITS[u] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def settings_toml(secret_key: str, suppression_key: str, **facts: object) -> str:
    """A digest.toml with every option explained and commented out, but for the keys and the given facts.

    ``facts``: option names with ``__`` for the dot (``publication__from="news@example.org"``).

    Raises: SettingsError for a fact that is no option.
    """
    given = {name.replace("__", "."): value for name, value in facts.items()}
    given |= {"secret_key": secret_key, "suppression_key": suppression_key}
    refuse_unknown({name: f"the fact {name}" for name in given})
    lines = ["# Council Digest. Lines that begin with # show the defaults; remove the # to change one."]
    section = ""
    for name, field in fields():
        here, _, short = name.rpartition(".")
        if here != section:
            section = here
            lines += ["", f"[{here}]"]
        lines += ["", f"# {field.description}"]
        lines.append(f"{short} = {_as_toml(given[name])}" if name in given else _commented(short, field))
    return "\n".join(lines) + "\n"


def _commented(short: str, field: FieldInfo) -> str:
    is_secret = "SecretStr" in str(field.annotation)
    return f"# {short} = {'' if is_secret or field.default is None else _as_toml(field.default)}".rstrip()


def refuse_unknown(given: Mapping[str, str]) -> None:
    """Raises: SettingsError for a name (with its place) that is no option."""
    known = [name for name, _ in fields()]
    for name, shown in given.items():
        if name not in known:
            raise SettingsError(f"{shown} is no option: did you mean {nearest(name, known)}?")


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like one that was mistyped."""
    last = re.split(r"\.|__", name)[-1].lower()

    def likeness(other: str) -> float:
        other_last = re.split(r"\.|__", other)[-1].lower()
        whole = SequenceMatcher(None, name, other).ratio()
        return max(whole, 0.95 * SequenceMatcher(None, last, other_last).ratio())

    return max(known, key=likeness)
