"""A joint meeting that the second council publishes a week late is not news again for who follows both."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from digest.pipeline.preview import explained
from digest.store.database import Database
from tests.integration.post_office import MONDAY, SUNDAY, PostOffice

BOTH, LATE = "ann@example.org", "bert@example.org"


def test_the_late_half_is_news_only_for_who_has_not_had_the_first(database: Database, tmp_path: Path) -> None:
    post = PostOffice(database, tmp_path / "outbox")
    post.add(BOTH, "aber", "bury")
    post.add(LATE, "bury")
    joint = "Aber and Bury Joint Committee"
    post.tell(committee=joint, council="aber")
    post.at(SUNDAY).run()
    post.at(MONDAY).tell(committee=joint, council="bury")
    verdicts = {who: explained(post.works(), who)[-1] for who in (BOTH, LATE)}
    assert not verdicts[BOTH].is_in
    assert "joint meeting" in verdicts[BOTH].why
    assert verdicts[LATE].is_in
    post.at(SUNDAY + timedelta(days=7)).run()
    assert len(post.to(LATE)) == 1
