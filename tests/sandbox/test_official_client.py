"""The official `telnyx` package, which knows nothing of this project, reads all thirteen operations."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

telnyx = pytest.importorskip("telnyx", reason="the official SDK is a test dependency")

from telnyx_mcp.sandbox import Sandbox  # noqa: E402


@pytest.fixture
def official(sandbox: Sandbox) -> Iterator[Any]:
    with telnyx.Telnyx(api_key=sandbox.key, base_url=sandbox.base_url, max_retries=0) as client:
        yield client


def test_balance(official: Any, sandbox: Sandbox) -> None:
    """The balance as the account has it."""
    assert official.balance.retrieve().data.balance == str(sandbox.balance)


def test_audit_events(official: Any) -> None:
    """Auto-paging sees every event once."""
    events = list(official.audit_events.list(page_size=100))
    assert len({event.id for event in events}) == len(events) == 208


def test_charges(official: Any) -> None:
    """Both, as typed objects."""
    start, end = date(2026, 5, 1), date(2026, 6, 1)
    breakdown = official.charges_breakdown.retrieve(start_date=start, end_date=end).data
    summary = official.charges_summary.retrieve(start_date=start, end_date=end).data
    assert breakdown.results[0].services[0].cost
    assert summary.user_email == breakdown.user_email
    assert {line.type for line in summary.summary.lines} <= {"comparative", "simple"}


def test_detail_records(official: Any) -> None:
    """With filters of every depth, sorted, page by page."""
    wanted = {
        "record_type": "messaging",
        "date_range": "yesterday",
        "direction": "inbound",
        "cld": {"starts_with": "+1"},
    }
    found = list(official.detail_records.list(filter=wanted, sort=["-created_at"], page_size=50))
    assert len(found) > 50
    assert {record.direction for record in found} == {"inbound"}


def test_invoices(official: Any) -> None:
    """The list, and one with its link."""
    invoices = list(official.invoices.list(sort="-period_start"))
    assert len(invoices) == 18
    linked = official.invoices.retrieve(invoices[0].invoice_id, action="link").data
    assert linked.download_url.startswith("https://")


def test_auto_recharge(official: Any) -> None:
    """Read, changed, read again."""
    assert official.payment.auto_recharge_prefs.list().data.enabled is True
    changed = official.payment.auto_recharge_prefs.update(threshold_amount="42.00").data
    assert changed.threshold_amount == "42.00"
    assert official.payment.auto_recharge_prefs.list().data == changed


def test_user_tags(official: Any) -> None:
    """Both lists."""
    tags = official.user_tags.list(filter={"starts_with": "depot"}).data
    assert tags.number_tags == ["depot-east", "depot-west"]


def test_the_payment_goes_to_a_doubled_path_by_its_own_defect(
    official: Any, sandbox: Sandbox
) -> None:
    """404 there; by the right path it is made."""
    with pytest.raises(telnyx.NotFoundError):
        official.payment.create_stored_payment_transaction(amount="120.00")
    assert sandbox.requests[-1].path == "/v2/v2/payment/stored_payment_transactions"
    assert sandbox.payments == []
    answer = official.post(
        "/payment/stored_payment_transactions", cast_to=object, body={"amount": "120.00"}
    )
    assert answer["data"]["amount_cents"] == 12000
    assert len(sandbox.payments) == 1


def test_webhook_deliveries(official: Any) -> None:
    """The list with filters, and one by its id."""
    wanted = {"status": {"eq": "failed"}, "attempts": {"contains": "parcles"}}
    failed = list(official.webhook_deliveries.list(filter=wanted, page_size=250))
    assert failed
    one = official.webhook_deliveries.retrieve(failed[0].id).data
    assert one.attempts[0].http.request.url.startswith("https://auth.northwind-parcles")


def test_errors_are_the_classes_it_knows(official: Any, sandbox: Sandbox) -> None:
    """401, 422 and 429."""
    with pytest.raises(telnyx.AuthenticationError):
        official.with_options(api_key="KEY_OTHER").balance.retrieve()
    with pytest.raises(telnyx.UnprocessableEntityError):
        official.payment.auto_recharge_prefs.update(threshold_amount="much")
    sandbox.fault("get_balance", "status", status=429)
    with pytest.raises(telnyx.RateLimitError):
        official.balance.retrieve()


def test_it_sends_a_lost_payment_three_times_by_its_own_defaults() -> None:
    """What the README's comparison says: each try arrives in whole, and gets no answer."""
    arrived: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def lose() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        arrived.append(connection.recv(65536))

        thread = threading.Thread(target=lose, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v2"
        with (
            telnyx.Telnyx(api_key="KEYlost", base_url=address) as client,
            pytest.raises(telnyx.APIConnectionError),
        ):
            client.payment.create_stored_payment_transaction(amount="120.00")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    payments = [each for each in arrived if each.startswith(b"POST ")]
    assert len(payments) == 3
    assert not any(b"idempotency" in each.lower() for each in payments)
