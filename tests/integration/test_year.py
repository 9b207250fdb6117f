"""Some weeks of the simulated year of ``make trial``: an outage or two, the leap day, beside a model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.trial import year


def test_ten_days_with_outages_and_deaths_are_as_the_model_says(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(year, "FIRST", datetime(2028, 2, 24, 12, tzinfo=UTC))
    told = year.simulate(sqlite_url, tmp_path, readers=36, days=10, seed=6)
    assert told.faults == []
    assert (told.doubles, told.missing) == (0, 0)
    assert told.letters > 15
    assert told.outages > 0
