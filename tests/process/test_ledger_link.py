"""A new API key on the ledger of an earlier one: linked by Telnyx's word, or by a person's."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telnyx_mcp.sandbox import Sandbox
from tests.support.command import Run
from tests.support.sandbox_requests import posts

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from tests.support.terminal import at_terminal, piped, told_to_run

PAY = "telnyx_create_stored_payment_transaction"
POST = "create_stored_payment_transaction"
NEW_KEY = "KEYthatreplacedit0123456789"
LINKING = "Number, or new (Enter: do nothing):"
EMAIL = "olivia.brandt@northwind-parcels.example"

Call = Callable[..., str]


@pytest.fixture
def pay(run: Run, environment: dict[str, str]) -> Call:
    """What the assistant is told when it calls for a payment, with the key of the environment."""

    def pay(amount: str, *more: str, **settings: str) -> str:
        settings = {"TELNYX_MCP_APPROVAL": "terminal", "COLUMNS": "5000", **settings}
        done = run("call", PAY, f"amount={amount}", *more, **environment | settings)
        return done.stdout + done.stderr

    return pay


def approve(environment: dict[str, str], amount: str) -> None:
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows(f"type the amount, {amount}")
        terminal.types(amount)
        assert terminal.ends() == 0


def replace_key(
    sandbox: Sandbox, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telnyx takes another key by now, and the user's settings name that one."""
    monkeypatch.setattr(sandbox, "key", NEW_KEY)
    environment["TELNYX_API_KEY"] = NEW_KEY


@pytest.fixture
def unconfirmed(
    sandbox: Sandbox,
    environment: dict[str, str],
    pay: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The id of a payment of unknown outcome, sent with an earlier key after one of 30.00 with the
    reference invoice-7; Telnyx does not say whose the new key is."""
    pay("30.00", "reference=invoice-7")
    approve(environment, "30.00")
    assert "Done: paying 30.00." in pay("30.00", "reference=invoice-7").replace("\n", " ")
    pay("12.00")
    approve(environment, "12.00")
    sandbox.fault(POST, "status", status=500)
    command = told_to_run(pay("12.00"))
    replace_key(sandbox, environment, monkeypatch)
    sandbox.fault("get_charges_summary", "status", status=403, times=None)
    return command[1]


def link(environment: dict[str, str], typed: str, says: str, status: int) -> str:
    """What is shown to somebody who links the key of the environment."""
    with at_terminal("ledger", "link", environment=environment) as terminal:
        terminal.shows(LINKING)
        terminal.types(typed)
        terminal.shows(says)
        assert terminal.ends() == status
    return terminal.shown


def test_until_the_user_says_whose_the_new_key_is_nothing_is_paid_and_the_command_is_named(
    unconfirmed: str, pay: Call, sandbox: Sandbox, run: Run
) -> None:
    before = posts(sandbox)
    for arguments in (("10.00",), ("30.00", "reference=invoice-7")):
        told = pay(*arguments)
        assert told_to_run(told) == ["ledger", "link"]
        assert "Nothing was sent" in told
        assert EMAIL in told
    assert posts(sandbox) == before
    for command in (("ledger",), ("ledger", unconfirmed), ("resolve", unconfirmed)):
        done = run(*command)
        assert "telnyx-account-mcp ledger link" in done.stdout + done.stderr


@pytest.mark.attack(
    "The API key is replaced to reset the caps and the block by an unknown payment",
    "They stay; nothing is paid until the key is linked",
)
def test_linking_keeps_the_block_by_an_unknown_payment_the_reference_and_the_caps(
    unconfirmed: str, pay: Call, sandbox: Sandbox, environment: dict[str, str]
) -> None:
    before = posts(sandbox)
    shown = link(environment, "1", "Linked.", 0)
    assert re.search(rf"1  {EMAIL}, {re.escape(sandbox.base_url)}: 2 changes", shown)
    assert told_to_run(pay("10.00")) == ["resolve", unconfirmed]
    with at_terminal("resolve", unconfirmed, "--paid", environment=environment) as terminal:
        terminal.shows("type the amount, 12.00")
        terminal.types("12.00")
        assert terminal.ends() == 0
    assert "Nothing new was done by this call" in pay("30.00", "reference=invoice-7")
    assert "the reference `invoice-7` already names another" in pay("31.00", "reference=invoice-7")
    assert posts(sandbox) == before
    assert "Nothing was sent yet" in pay("10.00")
    approve(environment, "10.00")
    pay("10.00")
    assert posts(sandbox) == before + 1
    over = pay("11.00", TELNYX_MCP_MAX_PER_DAY="60")
    assert "the cap of 60" in over
    assert "(52.00 already paid or possibly paid)" in over


@pytest.mark.slow
def test_new_starts_an_account_of_its_own(
    unconfirmed: str, pay: Call, sandbox: Sandbox, environment: dict[str, str], run: Run
) -> None:
    before = posts(sandbox)
    link(environment, "new", "Linked to a new account.", 0)
    assert "No change is recorded" in run("ledger").stdout
    assert run("ledger", unconfirmed).returncode == 1
    assert "Nothing was sent yet" in pay("30.00", "reference=invoice-7")
    approve(environment, "30.00")
    pay("30.00", "reference=invoice-7")
    assert posts(sandbox) == before + 1


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["", "2", "0", "yes", "\x04"])
def test_anything_else_links_nothing(
    unconfirmed: str, pay: Call, environment: dict[str, str], typed: str
) -> None:
    link(environment, typed, "Nothing was linked.", 1)
    assert told_to_run(pay("10.00")) == ["ledger", "link"]


@pytest.mark.slow
def test_without_a_terminal_nothing_is_linked(
    unconfirmed: str, pay: Call, environment: dict[str, str]
) -> None:
    done = piped("ledger", "link", environment=environment, typed="1\n")
    assert done.returncode == 2
    assert "Nothing was linked." in done.stderr
    assert told_to_run(pay("10.00")) == ["ledger", "link"]


@pytest.mark.slow
def test_what_was_typed_before_the_accounts_are_shown_links_nothing(
    unconfirmed: str, pay: Call, environment: dict[str, str]
) -> None:
    with at_terminal("ledger", "link", environment=environment) as terminal:
        terminal.types("1")
        terminal.shows(LINKING)
        terminal.types("")
        assert terminal.ends() == 1
    assert told_to_run(pay("10.00")) == ["ledger", "link"]


@pytest.mark.slow
def test_a_key_that_is_linked_is_not_asked_about(
    unconfirmed: str, environment: dict[str, str], run: Run
) -> None:
    link(environment, "1", "Linked.", 0)
    again = run("ledger", "link")
    assert again.returncode == 0
    assert "linked to its account in the ledger already" in again.stdout


def test_in_an_empty_ledger_there_is_nothing_to_link(environment: dict[str, str]) -> None:
    with at_terminal("ledger", "link", environment=environment) as terminal:
        terminal.shows("There is nothing to link: the ledger holds no changes.")
        assert terminal.ends() == 1
    assert LINKING not in terminal.shown


def test_a_new_key_of_the_same_account_is_linked_without_asking(
    pay: Call, sandbox: Sandbox, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pay("12.00")
    approve(environment, "12.00")
    sandbox.fault(POST, "status", status=500)
    resolve = told_to_run(pay("12.00"))
    replace_key(sandbox, environment, monkeypatch)
    before = posts(sandbox)
    assert told_to_run(pay("10.00")) == resolve
    assert posts(sandbox) == before
    with at_terminal("ledger", "link", environment=environment) as terminal:
        terminal.shows("linked to its account in the ledger already")
        assert terminal.ends() == 0


def test_an_approval_given_with_the_earlier_key_is_not_sent_with_the_new_one(
    pay: Call, sandbox: Sandbox, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pay("12.00")
    approve(environment, "12.00")
    replace_key(sandbox, environment, monkeypatch)
    assert "Nothing was sent yet" in pay("12.00")
    assert posts(sandbox) == 0
    with at_terminal("approve", environment=environment) as terminal:
        terminal.shows(
            "NOTE: This question replaces an earlier one. The question in the ledger was not"
        )


@pytest.mark.slow
def test_the_command_named_for_a_profile_links_the_key_of_that_profile(
    unconfirmed: str, pay: Call, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text('[profiles.eu]\nkey_from = "env:KEY_EU"\n', "utf-8")
    environment |= {"TELNYX_MCP_PROFILES": str(file), "KEY_EU": NEW_KEY}
    environment["TELNYX_API_KEY"] = "KEYofanotheraccount"
    command = told_to_run(pay("10.00", "--profile", "eu"))
    assert command == ["ledger", "link", "--profile", "eu"]
    with at_terminal(*command, environment=environment) as terminal:
        terminal.shows(LINKING)
        terminal.types("1")
        assert terminal.ends() == 0
    told = told_to_run(pay("10.00", "--profile", "eu"))
    assert told == ["resolve", unconfirmed, "--profile", "eu"]


# --- a ledger that was replaced -------------------------------------------------------------------


@pytest.fixture
def replaced(pay: Call, environment: dict[str, str], tmp_path: Path) -> str:
    """What the assistant is told of a payment after the ledger's file was deleted."""
    pay("30.00")
    approve(environment, "30.00")
    assert "Done: paying 30.00." in pay("30.00").replace("\n", " ")
    (tmp_path / "state.sqlite3").unlink()
    return pay("30.00")


@pytest.mark.parametrize(("typed", "says"), [("yes", "Accepted."), ("", "Nothing was accepted.")])
def test_a_replaced_ledger_is_accepted_as_the_assistant_says_to_type_it(
    replaced: str, pay: Call, environment: dict[str, str], sandbox: Sandbox, typed: str, says: str
) -> None:
    assert "that was deleted, emptied or replaced" in replaced.replace("\n", " ")
    command = told_to_run(replaced)
    assert command == ["ledger", "accept"]
    assert piped(*command, environment=environment).returncode == 2
    doctor = piped("doctor", environment=environment | {"COLUMNS": "5000"})
    assert "telnyx-account-mcp ledger accept" in doctor.stdout
    with at_terminal(*command, environment=environment) as terminal:
        terminal.shows("The Mission Control Portal shows what was paid.")
        terminal.shows("To go on with this ledger, type yes")
        terminal.types(typed)
        terminal.shows(says)
        assert terminal.ends() == (0 if typed else 1)
    again = pay("30.00")
    assert ("waits" in again or "approve" in again) if typed else "ledger accept" in again
    assert posts(sandbox) == 1


def test_a_ledger_that_is_the_one_remembered_has_nothing_to_accept(
    pay: Call, environment: dict[str, str]
) -> None:
    done = piped("ledger", "accept", environment=environment)
    assert (done.returncode, "nothing to accept" in done.stdout) == (0, True)
