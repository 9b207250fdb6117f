"""Every fixed text of the letters, gathered from the code and the templates for the catalogue tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment

from tests.unit.render.builders import sources

ROOM = Path(__file__).resolve().parents[3] / "digest" / "render"


def texts() -> tuple[set[str], set[tuple[str, str]]]:
    """All texts said once, and all texts said with a count."""
    single: set[str] = set()
    counted: set[tuple[str, str]] = set()
    for found in (*_in_code(), *_in_templates()):
        if isinstance(found, tuple):
            counted.add(found)
        else:
            single.add(found)
    return single, counted


def _in_code() -> Iterator[str | tuple[str, str]]:
    for file in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _of_call(node)


def _of_call(node: ast.Call) -> Iterator[str | tuple[str, str]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if (name in ("language", "message") and words) or (name == "self" and words):
        yield words[0]
    elif name in ("count", "plural") and len(words) == 2:
        yield words[0], words[1]


def _in_templates() -> Iterator[str | tuple[str, str]]:
    environment = Environment(extensions=["jinja2.ext.i18n"])  # noqa: S701 - only read, never rendered
    for file, text in sources().items():
        if file.endswith((".mjml", ".txt")):
            for _, name, found in environment.extract_translations(text):  # type: ignore[attr-defined]
                yield (
                    (found[0], found[1])
                    if name == "ngettext"
                    else (found[0] if isinstance(found, tuple) else found)
                )
