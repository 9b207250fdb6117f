"""Theme tokens: the colours of a letter, settled at compile time, and their contrast.

A template writes ``[[ ink ]]`` for a token. ``[publication.colours]`` may set any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from digest.errors import TemplateError

# Deep green ink on warm paper; no pure black or white, so that forced inversion stays readable.
COLOURS: Mapping[str, str] = {
    "paper": "#f4eee1",
    "card": "#fffcf5",
    "ink": "#1c2b25",
    "muted": "#55625b",
    "accent": "#14503a",
    "accent_ink": "#fbf6ea",
    "link": "#0f5a3e",
    "rule": "#d9cfba",
    "tint": "#e8efe4",
    "tint_ink": "#1f4033",
    "warn": "#fbeedb",
    "warn_ink": "#6b3a06",
    "gold": "#b7892f",
    "dark_paper": "#0f1714",
    "dark_card": "#17221d",
    "dark_ink": "#ece6d8",
    "dark_muted": "#aeb9b1",
    "dark_accent": "#1d5c45",
    "dark_accent_ink": "#f6f1e4",
    "dark_link": "#93d7b3",
    "dark_rule": "#37473f",
    "dark_tint": "#1f3129",
    "dark_tint_ink": "#d5e8dc",
    "dark_warn": "#3a2a14",
    "dark_warn_ink": "#f3d3a2",
    "dark_gold": "#d8ae5c",
}
# Text on ground, as the templates pair them; each must reach 4.5:1 (WCAG 2.2, 1.4.3).
PAIRS = (
    ("ink", "card"),
    ("muted", "card"),
    ("link", "card"),
    ("ink", "paper"),
    ("muted", "paper"),
    ("link", "paper"),
    ("accent_ink", "accent"),
    ("tint_ink", "tint"),
    ("link", "tint"),
    ("warn_ink", "warn"),
)
_TOKEN = re.compile(r"\[\[\s*([A-Za-z_]\w*)\s*\]\]")
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def theme_of(colours: Mapping[str, str]) -> dict[str, str]:
    """All tokens, with the publication's own colours in place of ours.

    Raises: TemplateError for an unknown token or a value that is no ``#rrggbb``.
    """
    for name, value in colours.items():
        if name not in COLOURS:
            near = get_close_matches(name, COLOURS, n=1, cutoff=0.0)
            raise TemplateError(f"[publication.colours] has no {name!r}: the nearest is {near[0]!r}")
        if not _HEX.fullmatch(value):
            raise TemplateError(f"[publication.colours] {name} = {value!r}: write a colour as #rrggbb")
    return {**COLOURS, **colours}


def themed(source: str, *, file: str, theme: Mapping[str, str]) -> str:
    """The template text with its ``[[ token ]]`` settled.

    Raises: TemplateError naming file, line and token where there is no such token.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] not in theme:
            line = source.count("\n", 0, found.start()) + 1
            near = get_close_matches(found[1], theme, n=1, cutoff=0.0)[0]
            raise TemplateError(f"{file}, line {line}: no theme token {found[1]!r}; the nearest is {near!r}")
        return theme[found[1]]

    return _TOKEN.sub(value, source)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
