"""An operator loads postcodes, so that residents find their council by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Operator


@pytest.fixture
def town(tmp_path: Path) -> Operator:
    """An installation with one council."""
    one = Operator(tmp_path)
    for words in (["init"], ["council", "add", "stockport", "--name", "Stockport"]):
        assert one.digest(*words).code == 0
    return one


def load(town: Operator, text: str) -> tuple[int, Any]:
    (town.folder / "postcodes.csv").write_text(text, encoding="utf-8")
    done = town.digest("council", "postcodes", "postcodes.csv", "--json")
    return done.code, done.document if done.out else None


def test_a_good_file_is_loaded_and_the_next_replaces_it(town: Operator) -> None:
    assert load(town, "postcode,council\nSK1,stockport\nsk1 3xe,stockport\n") == (
        0,
        {"postcodes": 2, "refused": []},
    )
    assert load(town, "postcode,council\nSK2,stockport\n")[1]["postcodes"] == 1


def test_a_bad_line_is_named_and_the_good_ones_are_kept(town: Operator) -> None:
    code, said = load(town, "postcode,council\nSK1,stockport\nnowhere,stockport\nSK2,stokport\n")
    assert code == 1
    assert said["postcodes"] == 1
    assert [(one["line"], one["why"].partition(":")[0]) for one in said["refused"]] == [
        (3, "'nowhere' is no postcode"),
        (4, "there is no council 'stokport'"),
    ]


def test_a_file_of_something_else_is_refused_and_nothing_is_lost(town: Operator) -> None:
    load(town, "postcode,council\nSK1,stockport\n")
    assert load(town, "a,b\n1,2\n")[0] == 2
    assert load(town, "postcode,council\nSK1,stockport\n")[1]["postcodes"] == 1
