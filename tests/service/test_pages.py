"""The pages of the service, in a browser without scripts: people sign in, look, and decide."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from telnyx_mcp.approval.change import State
from telnyx_mcp.approval.ledger_async import in_thread
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.service.pages.sessions import LIFETIME
from tests.service.site import Site, running_site


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Site]:
    async with running_site(settings) as running:
        yield running


# --- signing in ----------------------------------------------------------------------------------


async def test_somebody_who_is_not_signed_in_is_sent_to_sign_in_and_back(site: Site) -> None:
    change = await site.proposed()
    browser = await site.new_browser()
    site.issuer.signs_in = "bob"
    page = await browser.get(f"/changes/{change.id}")
    assert page.status_code == 200
    assert str(page.url) == f"{site.origin}/changes/{change.id}"
    assert change.question.title in page.text
    assert "Bob" in page.text


@pytest.mark.parametrize("after", ["https://evil.example/", "//evil.example", "/changes/../x", "x"])
async def test_a_sign_in_leads_to_the_pages_own_addresses_only(site: Site, after: str) -> None:
    page = await (await site.new_browser()).get(f"/sign-in?after={after}")
    assert str(page.url) == f"{site.origin}/changes"


async def test_a_person_without_a_role_sees_nothing(site: Site) -> None:
    await site.proposed()
    page = await (await site.browser("eve")).get("/changes")
    assert page.status_code == 403
    assert "none of your groups has a role" in page.text
    assert "120.00" not in page.text


async def test_an_answer_of_another_issuer_signs_nobody_in(site: Site) -> None:
    site.issuer.named_in_answers = "https://other.example.com"
    page = await (await site.new_browser()).get("/changes")
    assert page.status_code == 400
    assert "does not come from this issuer" in page.text


async def test_an_issuer_that_names_itself_in_answers_has_to(site: Site) -> None:
    site.issuer.named_in_answers = ""
    page = await (await site.new_browser()).get("/changes")
    assert page.status_code == 400
    assert "does not come from this issuer" in page.text


@pytest.mark.parametrize("query", ["?code=x&state=y", "", "?error=access_denied&state=z"])
async def test_an_answer_that_nobody_asked_for_signs_nobody_in(site: Site, query: str) -> None:
    page = await (await site.new_browser()).get(f"/sign-in/callback{query}")
    assert page.status_code == 400
    assert "Begin again" in page.text


async def test_signing_out_ends_the_session_itself(site: Site) -> None:
    browser = await site.browser("bob")
    kept = dict(browser.http.cookies)
    await browser.post("/sign-out", {"token": await browser.token("/changes")})
    again = httpx2.AsyncClient(verify=False, cookies=kept)
    async with again:
        page = await again.get(f"{site.origin}/changes", follow_redirects=False)
    assert page.status_code == 303


async def test_a_session_ends_after_eight_hours(site: Site) -> None:
    browser = await site.browser("bob")
    browser.http.follow_redirects = False
    assert (await browser.get("/changes")).status_code == 200
    site.now.by = LIFETIME
    assert (await browser.get("/changes")).headers["location"] == "/sign-in?after=/changes"


async def test_each_sign_in_has_a_session_of_its_own(site: Site) -> None:
    browser = await site.browser("bob")
    first = browser.http.cookies["telnyx-session"]
    await browser.get("/sign-in")
    assert browser.http.cookies["telnyx-session"] != first


# --- looking -------------------------------------------------------------------------------------


async def test_the_list_shows_what_waits_and_who_asked(site: Site) -> None:
    change = await site.proposed()
    page = await (await site.browser("carol")).get("/changes")
    assert f'href="/changes/{change.id}"' in page.text
    for text in ("pay 120.00", "Alice", "Waiting for an answer"):
        assert text in page.text


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ("alice", "You asked for it, so somebody else has to approve it"),
        ("carol", "None of your roles approves changes"),
    ],
)
async def test_who_may_not_approve_is_told_why_and_has_no_button(
    site: Site, person: str, why: str
) -> None:
    change = await site.proposed()
    page = await (await site.browser(person)).get(f"/changes/{change.id}")
    assert why in page.text
    assert 'value="approve"' not in page.text


async def test_the_page_says_until_when_in_utc(site: Site) -> None:
    change = await site.proposed()
    page = await (await site.browser("bob")).get(f"/changes/{change.id}")
    until = f"{change.expires_at:%Y-%m-%d %H:%M} UTC"
    assert f"Answer before <b>{until}</b>. After that nothing is sent." in page.text


async def test_a_failure_is_told_to_the_person_not_to_an_assistant(site: Site) -> None:
    page = await (await site.browser("bob")).get("/changes/0123")
    assert page.status_code == 409
    assert "call again" not in page.text


async def test_the_pages_hold_no_script_and_forbid_all(site: Site) -> None:
    change = await site.proposed()
    browser = await site.browser("bob")
    for path in ("/changes", f"/changes/{change.id}", "/changes/0123"):
        page = await browser.get(path)
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


async def test_a_question_that_is_no_longer_true_is_replaced_with_its_requester(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    sandbox.account.balance += 50
    page = await (await site.browser("bob")).get(f"/changes/{change.id}")
    assert not str(page.url).endswith(change.id)
    assert "This question replaces an earlier one" in page.text
    assert "Alice" in page.text
    assert 'value="approve"' in page.text


async def test_looking_at_a_question_that_nobody_can_answer_any_more_asks_nothing_again(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    ledger = await site.team.gate.ledger()
    await in_thread(ledger.void, change.id, "The balance moved.", site.now())
    site.now.by = timedelta(hours=25)
    page = await (await site.browser("carol")).get(f"/changes/{change.id}")
    assert "No longer valid" in page.text
    assert [each.id for each in await site.team.gate.changes(10)] == [change.id]


@pytest.mark.parametrize(
    ("claims", "status"), [({"oid": "alice-1"}, 200), ({}, 400), ({"oid": 7}, 400)]
)
async def test_people_are_told_apart_by_the_claim_that_the_operator_names(
    settings: Settings, claims: dict[str, Any], status: int
) -> None:
    async with running_site(settings, subject_claim="oid") as site:
        site.issuer.extra_claims = claims
        site.issuer.signs_in = "bob"
        browser = await site.new_browser()
        assert (await browser.get("/changes")).status_code == status
        if status == 200:  # alice's own proposal, whatever `sub` says here
            change = await site.proposed(by="alice-1")
            page = await browser.get(f"/changes/{change.id}")
            assert "You asked for it" in page.text


# --- deciding ------------------------------------------------------------------------------------


async def test_an_approval_is_carried_out_at_once(site: Site, sandbox: Sandbox) -> None:
    change = await site.proposed()
    page = await (await site.browser("bob")).decide(change, "approve", amount="120.00")
    assert page.status_code == 200
    assert "Done" in page.text
    assert "Decided by: " in re.sub(r"<[^>]+>", "", page.text)
    assert len(sandbox.payments) == 1
    assert await site.state(change) is State.SUCCEEDED


async def test_a_wrong_amount_approves_nothing(site: Site, sandbox: Sandbox) -> None:
    change = await site.proposed()
    page = await (await site.browser("bob")).decide(change, "approve", amount="12.00")
    assert page.status_code == 400
    assert "That is not the amount" in page.text
    assert await site.state(change) is State.PROPOSED
    assert not sandbox.payments


@pytest.mark.parametrize("person", ["alice", "carol", "eve"])
async def test_nobody_else_approves_by_sending_the_form(
    site: Site, sandbox: Sandbox, person: str
) -> None:
    change = await site.proposed()
    bob, other = await site.browser("bob"), await site.browser(person)
    forged = {"decision": "approve", "amount": "120.00"}
    path = f"/changes/{change.id}"
    tokens = [await bob.token("/changes")]
    if person != "eve":  # who sees no page to take one from
        tokens.append(await other.token("/changes"))
    for token in tokens:
        page = await other.post(path, {"token": token, **forged})
        assert page.status_code == 403
    assert await site.state(change) is State.PROPOSED
    assert not sandbox.payments


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example"}, 421),
    ],
)
async def test_a_form_of_another_page_decides_nothing(
    site: Site, sandbox: Sandbox, headers: dict[str, str], status: int
) -> None:
    change = await site.proposed()
    bob = await site.browser("bob")
    form = {"token": await bob.token("/changes"), "decision": "approve", "amount": "120.00"}
    page = await bob.post(f"/changes/{change.id}", form, headers)
    assert page.status_code == status
    assert not sandbox.payments


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_a_form_without_its_token_decides_nothing(site: Site, token: str) -> None:
    change = await site.proposed()
    form = {"token": token, "decision": "decline"}
    page = await (await site.browser("bob")).post(f"/changes/{change.id}", form)
    assert page.status_code == 403
    assert await site.state(change) is State.PROPOSED


async def test_a_person_who_was_removed_from_the_group_while_the_page_was_open_is_refused(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    bob = await site.browser("bob")
    await bob.get(f"/changes/{change.id}")
    site.issuer.groups["bob"] = ["everybody"]
    page = await bob.decide(change, "approve", amount="120.00")
    assert page.status_code == 403
    assert "None of your roles approves changes" in page.text
    assert not sandbox.payments


async def test_somebody_who_has_no_role_any_more_is_not_shown_the_question_again(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    bob = await site.browser("bob")
    form = {"token": await bob.token("/changes"), "decision": "approve", "amount": "120.00"}
    site.issuer.groups["bob"] = []
    page = await bob.post(f"/changes/{change.id}", form)
    assert page.status_code == 403
    assert "none of your groups has a role" in page.text
    assert change.question.title not in page.text
    assert not sandbox.payments


async def test_a_sign_in_that_the_issuer_ended_has_to_be_made_again(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    bob = await site.browser("bob")
    token = await bob.token("/changes")
    site.issuer.refuses_tokens = True
    form = {"token": token, "decision": "approve", "amount": "120.00"}
    page = await bob.post(f"/changes/{change.id}", form)
    assert page.status_code == 403
    assert "Your sign-in has ended" in page.text
    assert f'href="/sign-in?after=/changes/{change.id}"' in page.text
    assert not sandbox.payments


async def test_nothing_is_decided_while_the_issuer_does_not_answer(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    bob = await site.browser("bob")
    token = await bob.token("/changes")
    site.issuer.fault = "closes"
    form = {"token": token, "decision": "approve", "amount": "120.00"}
    page = await bob.post(f"/changes/{change.id}", form)
    assert page.status_code == 503
    assert "nothing was decided" in page.text
    assert not sandbox.payments


async def test_a_second_click_and_a_late_answer_find_the_first_outcome(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    bob, dave = await site.browser("bob"), await site.browser("dave")
    form = {"token": await bob.token("/changes"), "decision": "approve", "amount": "120.00"}
    await bob.post(f"/changes/{change.id}", form)
    again = await bob.post(f"/changes/{change.id}", form)
    late = await dave.decide(change, "decline")
    for page in (again, late):
        assert "Done" in page.text
    assert len(sandbox.payments) == 1


async def test_a_large_amount_is_paid_when_two_people_approved(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed("450.00")
    bob, dave = await site.browser("bob"), await site.browser("dave")
    first = await bob.decide(change, "approve", amount="450.00")
    assert "You approved it at" in first.text
    assert "Approvals still needed" in first.text
    assert not sandbox.payments
    second = await dave.decide(change, "approve", amount="450.00")
    assert "Done" in second.text
    assert len(sandbox.payments) == 1


async def test_an_approval_of_two_can_be_withdrawn_by_who_gave_it(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed("450.00")
    bob = await site.browser("bob")
    await bob.decide(change, "approve", amount="450.00")
    page = await bob.decide(change, "withdraw")
    assert 'value="approve"' in page.text
    await (await site.browser("dave")).decide(change, "approve", amount="450.00")
    assert not sandbox.payments


async def test_a_page_offers_to_withdraw_what_its_reader_asked_for_or_approved(site: Site) -> None:
    change = await site.proposed("450.00")
    bob = await site.browser("bob")
    await bob.decide(change, "approve", amount="450.00")
    offers = {"alice": "Withdraw the proposal", "bob": "Withdraw your approval", "carol": None}
    for name, offer in offers.items():
        page = await (await site.browser(name)).get(f"/changes/{change.id}")
        assert re.findall(r"Withdraw [a-z ]+", page.text) == ([offer] if offer else []), name
        assert re.findall(r"<h1.*?>(.*?)</h1>", page.text) == ["Waiting for an answer"]


async def test_a_proposal_is_withdrawn_by_who_made_it_and_declined_by_an_approver(
    site: Site,
) -> None:
    change = await site.proposed()
    page = await (await site.browser("alice")).decide(change, "withdraw")
    assert "Alice declined" in page.text
    other = await site.proposed("130.00", by="carol")
    page = await (await site.browser("bob")).decide(other, "decline")
    assert "Bob declined" in page.text


async def test_an_unknown_payment_is_resolved_by_an_approver_alone(
    site: Site, sandbox: Sandbox
) -> None:
    change = await site.proposed()
    sandbox.fault("create_stored_payment_transaction", "drop_after")
    bob = await site.browser("bob")
    page = await bob.decide(change, "approve", amount="120.00")
    assert "Outcome unknown" in page.text
    alice = await site.browser("alice")
    forged = {"token": await alice.token("/changes"), "decision": "not_paid", "amount": "120.00"}
    assert (await alice.post(f"/changes/{change.id}", forged)).status_code == 403
    page = await bob.decide(change, "paid", amount="120.00")
    assert "Found to have happened" in page.text
    assert await site.state(change) is State.SUCCEEDED
