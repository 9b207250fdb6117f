"""Links are made for several batches of a claim at once, whatever their sizes, and are each reader's own."""

from __future__ import annotations

from datetime import date

import pytest

from digest.links import Purpose, Signer
from digest.pipeline import pages
from digest.pipeline.pages import Links
from digest.store.batches import ClaimedBatch

BASE = "https://digest.example.org"
TODAY = date(2025, 9, 7)


@pytest.mark.parametrize(
    ("sizes", "most_makings"),
    [([1] * 1200, 3), ([500, *[1] * 400], 2), ([300, *[250] * 4], 4), ([1, 700, 1, 1, 0, 1], 3), ([0], 1)],
)
def test_every_reader_has_links_of_their_own_however_batches_come(
    sizes: list[int], most_makings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    makings = []
    make = pages.recipients_of

    def counted(run_id: int, recipients: object, **options: object) -> object:
        makings.append(recipients)
        return make(run_id, recipients, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pages, "recipients_of", counted)
    signer, first, claim = Signer("k" * 40), 1, []
    for id_, size in enumerate(sizes, start=70):
        readers = [(n, f"r{n}@example.org", "") for n in range(first, first + size)]
        claim.append(ClaimedBatch(id_, 1, 900 + id_, 1, readers))
        first += size
    links = Links(7, signer, BASE)
    links.expect(claim)
    for batch in claim:
        readers, view_url = links.of(batch, on=TODAY)
        assert list(readers.ids) == [one[0] for one in batch.recipients]
        view = signer.read(view_url.removeprefix(f"{BASE}/view/"), Purpose.VIEW, today=TODAY)
        assert view.subject_id == batch.page_id
        for reader in readers:
            token = reader.unsubscribe_url.removeprefix(f"{BASE}/unsubscribe/")
            read = signer.read(token, Purpose.UNSUBSCRIBE, today=TODAY)
            assert (read.subject_id, reader.address) == (
                reader.subscriber_id,
                f"r{reader.subscriber_id}@example.org",
            )
    assert len(makings) <= most_makings
