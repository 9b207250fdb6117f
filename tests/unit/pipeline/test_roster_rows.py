"""The subscriber CSV: what a row means, what is refused and where, and that export and import agree."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, example, given
from hypothesis import strategies as st

from digest.compose.profile import profile_of
from digest.errors import SubscriberError, UsageError
from digest.model import Detail, Format, Profile, SubscriberState, Tier
from digest.pipeline.roster_rows import COLUMNS, Defaults, Refusal, Row, cells_of, read_rows, row_of
from digest.slots import schedule_of
from digest.store.subscribers import Consent, Subscriber
from tests.conftest import ROOT

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
DEFAULTS = Defaults(schedule_of("weekly", "sunday", "18:00", "Europe/London"), Detail.FULL)
HEAD = ",".join(COLUMNS)


def read(text: str, *, head: str = HEAD) -> list[Row | Refusal]:
    lines = io.StringIO(f"{head}\n{text}", newline="")
    return list(read_rows(lines, defaults=DEFAULTS, now=NOW))


def good(text: str, *, head: str = HEAD) -> Row:
    (row,) = read(text, head=head)
    assert isinstance(row, Row), row
    return row


def why(text: str, *, head: str = HEAD) -> str:
    (row,) = read(text, head=head)
    assert isinstance(row, Refusal), row
    return row.why


# --- what a row means -------------------------------------------------------------------------------------


def test_a_full_row_is_read_column_by_column() -> None:
    row = good(
        'ada@example.org,"Finch, Ada",stockport;Little-Wittering,-stockport/Cabinet,Parks;Roads,'
        '"""special needs"";-parking",Manor,monthly,first Sunday,7:15,Europe/Dublin,headline,text,Welsh,'
        "professional,paused,paper form,2025-06-03T09:00:00+01:00\n"
    )
    assert (row.line, row.address, row.name) == (2, "ada@example.org", "Finch, Ada")
    assert row.profile == profile_of(
        councils=["stockport", "little-wittering"],
        committees=["-stockport/Cabinet"],
        topics=["Parks", "Roads"],
        keywords=["special needs", "-parking"],
        wards=["Manor"],
        detail=Detail.HEADLINE,
        format=Format.TEXT,
        language="cy",
        tier=Tier.PROFESSIONAL,
    )
    assert row.schedule == schedule_of("monthly", "first sunday", "07:15", "Europe/Dublin")
    assert row.status is SubscriberState.PAUSED
    assert row.consent == Consent("paper form", datetime(2025, 6, 3, 8, 0, tzinfo=UTC))


def test_empty_cells_and_absent_columns_mean_the_default() -> None:
    default = profile_of(councils=["stockport"], detail=Detail.FULL)
    for row in (
        good(f"ada@example.org,,stockport{',' * 15}\n"),
        good("ada@example.org,stockport", head="email,councils"),
    ):
        assert (row.profile, row.schedule) == (default, DEFAULTS.schedule)
        assert (row.name, row.status, row.consent) == ("", None, None)


def test_a_part_of_a_schedule_is_completed_from_the_default() -> None:
    assert good("a@example.org,stockport,daily", head="email,councils,cadence").schedule == schedule_of(
        "daily", "", "18:00", "Europe/London"
    )


def test_a_separator_inside_quotes_belongs_to_the_phrase() -> None:
    row = good('a@example.org,stockport,"""parks; roads"";-""bus lane"""', head="email,councils,keywords")
    assert (row.profile.keywords, row.profile.excluded) == (("parks roads",), ("bus lane",))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ada+News@Example.ORG", "Ada+News@example.org"),
        ("ada@bücher.example", "ada@bücher.example"),
        ("  ada@example.org ", "ada@example.org"),
        ("jörg@example.org", "jörg@example.org"),
    ],
)
def test_good_addresses_are_kept(written: str, kept: str) -> None:
    assert good(f"{written},stockport", head="email,councils").address == kept


@given(
    local=st.text("aZ0.+-_'!=@ é\"", min_size=1, max_size=66),
    domain=st.one_of(
        st.text("aZ0.-", max_size=20), st.sampled_from(["example.org", "Bücher.example", "x.test"])
    ),
)
@example(local="a" * 64, domain="example.org")
@example(local="a" * 65, domain="example.org")
@example(local="a", domain="localhost")
@example(local="a", domain="xn--bcher-kva.example")
def test_addresses_are_taken_exactly_as_email_validator_takes_them(local: str, domain: str) -> None:
    text = f"{local}@{domain}".strip()
    assume(not text.startswith("'"))  # that is how a cell says that it is no formula
    try:
        expected = validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        expected = None
    try:
        taken = row_of({"email": text, "councils": "stockport"}, defaults=DEFAULTS, now=NOW).address
    except SubscriberError:
        taken = None
    assert taken == expected


@pytest.mark.parametrize(
    "at", ["2025-06-03", "2025-06-03T00:00:00", "2025-06-03T02:00:00+02:00", "2025-06-03T00:00Z"]
)
def test_a_consent_without_a_zone_is_in_utc(at: str) -> None:
    row = good(f"a@example.org,stockport,web,{at}", head="email,councils,consent_source,consent_at")
    assert row.consent == Consent("web", datetime(2025, 6, 3, tzinfo=UTC))


def test_a_consent_without_an_instant_is_of_now() -> None:
    row = good("a@example.org,stockport,web", head="email,councils,consent_source")
    assert row.consent == Consent("web", NOW)


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ({"email": ""}, "email: is empty"),
        ({"email": "ada.example.org"}, "email: 'ada.example.org'"),
        ({"email": "ada@localhost"}, "email: 'ada@localhost'"),
        ({"email": "Ada <ada@example.org>"}, "email: 'Ada <ada@example.org>'"),
        ({"email": "ada@example.org; bo@example.org"}, "email: "),
        ({"councils": ""}, "councils: none is named"),
        ({"councils": "Stock Port"}, "councils: 'Stock Port'"),
        ({"committees": "Cabinet"}, "committees: 'Cabinet'"),
        ({"committees": "other/Cabinet"}, "names a council that is not followed"),
        ({"keywords": "bus;-bus"}, "'bus' is both wanted and excluded"),
        ({"cadence": "hourly"}, '"hourly" is no cadence'),
        ({"cadence": "weekly", "day": "7"}, '"7"'),
        ({"time": "18:10"}, '"18:10" is no time'),
        ({"timezone": "Europe/Lodnon"}, "Europe/London"),
        ({"detail": "ful"}, "did you mean 'full'?"),
        ({"format": "pdf"}, "format: 'pdf'"),
        ({"language": "tlh"}, "language: 'tlh'"),
        ({"tier": "gold"}, "tier: 'gold'"),
        ({"status": "left"}, "status: 'left' is unknown; use one of active, paused, pending"),
        ({"consent_at": "last June"}, "consent_at: 'last June'"),
        ({"name": "x" * 201}, "name: "),
        ({"name": "Ada\nBcc: all@example.org"}, "name: 'Ada\\nBcc: all@example.org' has a line break"),
        ({"consent_source": "web\0form"}, "consent_source: "),
        ({"name": "\u202egnp.exe"}, "name: "),
    ],
)
def test_a_bad_cell_is_refused_by_its_column_and_value(cells: dict[str, str], names: str) -> None:
    given_cells = {"email": "ada@example.org", "councils": "stockport"} | cells
    line = ",".join('"' + given_cells.get(column, "").replace('"', '""') + '"' for column in COLUMNS)
    assert names in why(line)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    found = read(
        "bad,stockport\r\n\r\nada@example.org,stockport\r\n"
        'worse,"stock\r\nport"\r\nworst,stockport\r\n,\r\nbo@example.org,stockport',
        head="email,councils",
    )
    assert [(type(one).__name__, one.line) for one in found] == [
        ("Refusal", 2), ("Row", 4), ("Refusal", 5), ("Refusal", 7), ("Row", 9),
    ]  # fmt: skip


@pytest.mark.parametrize("after", [1, 5, 60])
def test_a_quote_that_is_never_closed_costs_one_row_only(after: int) -> None:
    rest = "".join(f"reader{n}@example.org,stockport\n" for n in range(after))
    found = read(f'ada@example.org,"stockport\n{rest}', head="email,councils")
    assert isinstance(found[0], Refusal)
    assert found[0].line == 2
    assert [one.line for one in found[1:] if isinstance(one, Row)] == list(range(3, 3 + after))


def test_an_unquoted_comma_is_named_instead_of_shifting_the_columns() -> None:
    assert "has 3 cells, the header 2" in why("ada@example.org,Finch,stockport", head="email,councils")


def test_bytes_that_are_no_utf8_cost_one_row_only(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "latin.csv"
    path.write_bytes(
        b"email,name,councils\nada@example.org,Tom\xe1s,stockport\nbo@example.org,Bo,stockport\n"
    )
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        bad, fine = read_rows(lines, defaults=DEFAULTS, now=NOW)
    assert isinstance(bad, Refusal)
    assert (bad.line, "UTF-8" in bad.why) == (2, True)
    assert isinstance(fine, Row)


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("email,councils,keyword", "the column 'keyword' is unknown: did you mean 'keywords'?"),
        ("email,councils,shoe size", "'shoe size' is unknown: use any of email, name"),
        ("email,councils,email", "'email' stands there twice"),
        ("email,name", "the column 'councils' is missing"),
        ("email;councils", "separated by commas"),
        ("", "the column 'email' is missing"),
        ("e\0m\0a\0i\0l", "not UTF-8"),
        ('email,"councils', "never closed"),
    ],
)
def test_a_header_that_cannot_be_used_is_wrong_usage(head: str, names: str) -> None:
    with pytest.raises(UsageError, match="line 1") as caught:
        read_rows(io.StringIO(head + "\nada@example.org,stockport\n" * 30), defaults=DEFAULTS, now=NOW)
    assert names in str(caught.value)


def test_an_empty_file_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="the file is empty"):
        read_rows(io.StringIO(""), defaults=DEFAULTS, now=NOW)


# --- and back ---------------------------------------------------------------------------------------------


def person(address: str, name: str, profile: Profile, schedule: object) -> Subscriber:
    return Subscriber(
        id=1, address=address, name=name, state=SubscriberState.ACTIVE, profile=profile,
        schedule=schedule,  # type: ignore[arg-type]
        covered_seq=0, due_from_at=NOW, paused_until=None, created_at=NOW, ended_at=None, ended_reason=None,
    )  # fmt: skip


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
names = st.text(st.sampled_from("Aé '=+-@\"; ,|ﬁ世"), max_size=12).map(str.strip)
wishes = st.builds(
    lambda topics, wanted, committees: profile_of(
        councils=["stockport"],
        topics=[t for t in topics if any(c.isalnum() for c in t)],
        keywords=[f"k{k}" for k in wanted],
        committees=[f"-stockport/c {c}" for c in committees],
    ),
    st.lists(words, max_size=3),
    st.lists(words, max_size=3),
    st.lists(words, max_size=3),
)


@given(name=names, profile=wishes, at=st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_as_the_same_reader(name: str, profile: Profile, at: datetime) -> None:
    before = person("=1+1@example.org", name, profile, DEFAULTS.schedule)
    cells = cells_of(before, Consent("web", at))
    after = row_of(dict(zip(COLUMNS, cells, strict=True)), defaults=DEFAULTS, now=NOW)
    assert (after.address, after.name, after.profile) == (before.address, before.name, before.profile)
    assert (after.schedule, after.status, after.consent) == (
        before.schedule,
        before.state,
        Consent("web", at),
    )


@given(name=names)
def test_no_written_cell_begins_as_a_formula(name: str) -> None:
    profile = profile_of(councils=["stockport"], committees=["-stockport/Cabinet"], keywords=["-bus"])
    cells = cells_of(person("+ada@example.org", name, profile, DEFAULTS.schedule), None)
    assert [cell for cell in cells if cell[:1] in tuple("=+-@")] == []


def test_every_sample_reader_is_read_without_a_refusal() -> None:
    with (ROOT / "samples" / "subscribers.csv").open(encoding="utf-8-sig", newline="") as lines:
        found = list(read_rows(lines, defaults=DEFAULTS, now=NOW))
    assert [one for one in found if isinstance(one, Refusal)] == []
    assert len(found) == 25
