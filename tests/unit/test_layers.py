"""Imports go downward only: entrances -> hall -> corridor -> edges -> core -> ground (DESIGN: the house)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Highest number = highest floor. The longest matching prefix counts. Between core and edges stands what
# several edges use to read what they are given.
FLOORS: dict[str, float] = {
    "digest.model": 0, "digest.errors": 0, "digest.slots": 0, "digest.links": 0,
    "digest.resources": 0,
    "digest": 0,
    "digest.settings": 1,
    "digest.intake.guard": 2, "digest.intake.parse": 2, "digest.intake.decide": 2,
    "digest.intake": 2,
    "digest.summaries": 2, "digest.compose": 2, "digest.render": 2, "digest.deliver.events": 2,
    "digest.deliver.message": 2, "digest.deliver": 2,
    "digest.http_answers": 2.5,
    "digest.intake.fetch": 3, "digest.intake.discover": 3, "digest.intake.child": 3,
    "digest.intake.network": 3, "digest.intake.turns": 3, "digest.intake.robots": 3,
    "digest.intake.connection": 3, "digest.intake.directory": 3,
    "digest.deliver.sendgrid": 3, "digest.deliver.smtp": 3, "digest.deliver.outbox": 3,
    "digest.deliver.evidence": 3, "digest.deliver.transport": 3, "digest.deliver.sendgrid_api": 3,
    "digest.deliver.fake_sendgrid": 3,
    "digest.store": 3,
    "digest.pipeline": 4,
    "digest.testing": 5, "digest.wiring": 5,
    "digest.web": 6, "digest.cli": 6, "digest.__main__": 7, "scheduler": 6,
}  # fmt: skip
EDGES = 3
CORE = 2

# The core has no clock, environment, disk, network, database or log.
FORBIDDEN_IN_CORE = {
    "os", "pathlib", "socket", "ssl", "http", "urllib.request", "httpx", "requests", "sqlite3", "sqlalchemy",
    "sqlmodel", "alembic", "psycopg", "logging", "structlog", "subprocess", "multiprocessing", "threading",
    "tempfile", "shutil", "time", "random", "asyncio",
}  # fmt: skip


def floor_of(module: str) -> float:
    parts = module.split(".")
    for n in range(len(parts), 0, -1):
        if (name := ".".join(parts[:n])) in FLOORS:
            return FLOORS[name]
    raise AssertionError(f"{module} has no floor: give it one in this test")


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def modules() -> list[tuple[str, Path]]:
    found = []
    for top in ("digest", "scheduler"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if "versions" in path.parts:
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.append((name.removesuffix(".__init__"), path))
    return found


def imports_of(name: str, path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    type_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in type_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, base] if base else up)
            found |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return found


def real_module(name: str, known: set[str]) -> str | None:
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_imports_go_downward_only(name: str, path: Path) -> None:
    known = {n for n, _ in modules()}
    here = floor_of(name)
    for target in sorted(imports_of(name, path)):
        module = real_module(target, known)
        if module is None or module in ("digest", name):
            continue
        there = floor_of(module)
        assert there <= here, f"{name} (floor {here}) imports {module} (floor {there}): an import climbs"
        if here == there == EDGES:
            assert room_of(module) == room_of(name), f"{name} imports another edge: {module}"


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_the_core_touches_nothing(name: str, path: Path) -> None:
    if floor_of(name) > CORE or name == "digest.resources" or name.startswith("digest.settings"):
        return
    touched = {
        i for i in imports_of(name, path) if any(i == f or i.startswith(f + ".") for f in FORBIDDEN_IN_CORE)
    }
    assert not touched, f"{name} is core and imports {sorted(touched)}"
