"""Records as the bytes of a file: CSV or JSON Lines. Secrets and hidden characters are removed, as in
what an assistant is shown."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from telnyx_mcp.telnyx.models import DetailRecord
from telnyx_mcp.tools.support.csv_export import LONGEST_CELL, cells
from telnyx_mcp.untrusted import redact, to_json

MORE = "more"
"""The last column: the fields of a record that have no column, as JSON."""

DOCUMENTED: Mapping[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "messaging": "record_type uuid user_id profile_id profile_name direction message_type cli cld "
        "carrier carrier_fee country_code source_country_code status errors delivery_status "
        "delivery_status_webhook_url delivery_status_failover_url parts rate cost currency fteu on_net "
        "mcc mnc tags created_at sent_at completed_at updated_at",
        "conference": "record_type id user_id name connection_id call_leg_id call_session_id region "
        "started_at ended_at expires_at call_sec participant_count participant_call_sec "
        "is_telnyx_billable",
        "conference-participant": "record_type id user_id conference_id call_leg_id call_session_id "
        "originating_number destination_number joined_at left_at call_sec billed_sec "
        "is_telnyx_billable rate rate_measured_in cost currency",
        "amd": "record_type id feature call_leg_id call_session_id connection_id connection_name "
        "billing_group_id billing_group_name is_telnyx_billable invoked_at rate rate_measured_in cost "
        "currency tags",
        "verify": "record_type id verify_profile_id verify_channel_id verify_channel_type "
        "verification_status delivery_status destination_phone_number rate rate_measured_in "
        "verify_usage_fee currency created_at updated_at",
        "wireless": "record_type id sim_card_id sim_card_tags sim_group_id sim_group_name imsi "
        "phone_number ip_address mcc mnc downlink_data uplink_data data_unit data_rate data_cost "
        "currency created_at closed_at",
        "media_storage": "record_type id user_id org_id asset_id action_type status link_channel_id "
        "link_channel_type webhook_id rate rate_measured_in cost currency created_at",
    }.items()
}
"""The fields that Telnyx documents for a record type; it documents none for most. The columns of a
CSV file are these and those of the first page."""


def columns_for(record_type: str, rows: Sequence[DetailRecord]) -> list[str]:
    """The columns of a file whose first page holds these rows, without the last one."""
    found = [name for row in _readable(rows) for name in row]
    return list(dict.fromkeys([*found, *DOCUMENTED.get(record_type, ())]))


def csv_head(columns: Sequence[str]) -> bytes:
    """The mark by which Excel knows UTF-8, and the names of the columns."""
    return codecs.BOM_UTF8 + _lines([[*columns, MORE]]) if columns else b""


def csv_rows(rows: Sequence[DetailRecord], columns: Sequence[str]) -> bytes:
    """The rows as lines; a cell that a spreadsheet would run as a formula is made harmless."""
    known = frozenset(columns)
    table = []
    for row in _readable(rows):
        more = {name: value for name, value in row.items() if name not in known}
        table.append([*(row.get(name) for name in columns), more or None])
    return _lines(table)


def json_rows(rows: Sequence[DetailRecord], _columns: Sequence[str]) -> bytes:
    return "".join(f"{to_json(row)}\n" for row in _readable(rows)).encode("utf-8", "replace")


Head = Callable[[Sequence[str]], bytes]
Rows = Callable[[Sequence[DetailRecord], Sequence[str]], bytes]
FORMATS: Mapping[str, tuple[Head, Rows]] = {
    "csv": (csv_head, csv_rows),
    "jsonl": (lambda _columns: b"", json_rows),
}
"""What a file begins with, and its rows, by format."""


def _readable(rows: Sequence[DetailRecord]) -> list[dict[str, Any]]:
    return [redact(dict(row), LONGEST_CELL, nulls=True) for row in rows]


def _lines(table: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(cells(each) for each in table)
    return text.getvalue().encode("utf-8", "replace")
