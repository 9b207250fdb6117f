"""The tables. Storage shape only: SQLModel does not validate ``table=True`` rows, the values do.

The ledger (docs/flow.md): what a subscriber is owed is ``covered_seq``; what a run gave is ``delivery``.
"""

from digest.store.tables.columns import metadata, table_of
from digest.store.tables.councils import (
    CommitteeNameRow,
    CommitteeRow,
    CouncilRow,
    FeedRow,
    LeftoverRow,
    MeetingAliasRow,
    MeetingRow,
)
from digest.store.tables.keys import ApiKeyRow
from digest.store.tables.ledger import (
    ATTEMPTS,
    BATCHES_PER_EDITION,
    BatchRow,
    DeliveryRow,
    EditionRow,
    FormRow,
    NewsItemRow,
    NewsRow,
    PageRow,
    RunRow,
    TroubleRow,
    batch_key,
)
from digest.store.tables.notices import AddressChangeRow, NoticeRow
from digest.store.tables.operators import OperatorRow, OperatorSessionRow
from digest.store.tables.postcodes import PostcodeRow
from digest.store.tables.readers import (
    ConsentRow,
    ProfileCouncilRow,
    ProfileRow,
    ScheduleRow,
    SubscriberRow,
    SubscriptionRow,
)
from digest.store.tables.records import (
    AuditRow,
    EventCountRow,
    EventRow,
    MetaRow,
    SuppressionRow,
    TaskRow,
)
from digest.store.tables.summaries import PublicationRow, SummaryRow, SummaryVersionRow

__all__ = [
    "ATTEMPTS",
    "BATCHES_PER_EDITION",
    "AddressChangeRow",
    "ApiKeyRow",
    "AuditRow",
    "BatchRow",
    "CommitteeNameRow",
    "CommitteeRow",
    "ConsentRow",
    "CouncilRow",
    "DeliveryRow",
    "EditionRow",
    "EventCountRow",
    "EventRow",
    "FeedRow",
    "FormRow",
    "LeftoverRow",
    "MeetingAliasRow",
    "MeetingRow",
    "MetaRow",
    "NewsItemRow",
    "NewsRow",
    "NoticeRow",
    "OperatorRow",
    "OperatorSessionRow",
    "PageRow",
    "PostcodeRow",
    "ProfileCouncilRow",
    "ProfileRow",
    "PublicationRow",
    "RunRow",
    "ScheduleRow",
    "SubscriberRow",
    "SubscriptionRow",
    "SummaryRow",
    "SummaryVersionRow",
    "SuppressionRow",
    "TaskRow",
    "TroubleRow",
    "batch_key",
    "metadata",
    "table_of",
]
