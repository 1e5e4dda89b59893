"""Telnyx's clock: a period that runs until now must not end in Telnyx's future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import SecretStr

from telnyx_mcp.telnyx import operations as op
from telnyx_mcp.telnyx.errors import TelnyxError
from telnyx_mcp.telnyx.server_clock import ServerClock, http_date
from telnyx_mcp.telnyx.transport import Transport
from tests.support.scripted_telnyx import KEY, Scripted, answer

LOCAL = datetime(2026, 6, 5, 12, tzinfo=UTC)
TEN = datetime(2026, 6, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 401, 404])
async def test_every_answer_with_a_date_sets_the_clock_whatever_its_status(
    scripted: Scripted, status: int
) -> None:
    transport = Transport(SecretStr(KEY), scripted.base_url, now=lambda: LOCAL)
    assert transport.server_clock.now() == LOCAL, "nothing is known yet"
    scripted.will(answer(status, {"data": {}}, {"date": "Fri, 05 Jun 2026 10:00:00 GMT"}))
    try:
        await transport.request(op.GET_BALANCE)
    except TelnyxError:
        assert status != 200
    finally:
        await transport.aclose()
    assert transport.server_clock.now() == TEN


def test_the_clock_goes_on_with_the_local_one_and_takes_the_newest_date() -> None:
    local = LOCAL
    clock = ServerClock(lambda: local)
    clock.learn(TEN)
    local += timedelta(minutes=5)
    assert clock.now() == TEN + timedelta(minutes=5)
    clock.learn(TEN + timedelta(minutes=6))
    assert clock.offset == timedelta(hours=-1, minutes=-59)
    clock.learn(None)
    assert clock.now() == TEN + timedelta(minutes=6), "an answer without a date changes nothing"


def test_the_time_is_in_utc_whatever_the_zone_of_the_local_clock() -> None:
    clock = ServerClock(lambda: LOCAL.astimezone(timezone(timedelta(hours=9))))
    assert clock.now().tzinfo is UTC
    assert clock.now() == LOCAL


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Fri, 05 Jun 2026 10:00:00 GMT", TEN),
        ("Fri, 05 Jun 2026 12:00:00 +0200", TEN),
        ("Fri, 05 Jun 2026 10:00:00 -0000", TEN),
        ("", None),
        ("now", None),
        ("Fri, 35 Jun 2026 10:00:00 GMT", None),
        ("Fri, 05 Jun 99999 10:00:00 GMT", None),
        ("Fri, 05 Jun 2026 10:00:00 +9999999999", None),
    ],
)
def test_a_header_is_read_as_a_date_or_as_nothing(header: str, moment: datetime | None) -> None:
    assert http_date(header) == moment
