"""A key in the keyring belongs to an address, and is given to no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from telnyx_mcp.cli.key import set_key
from telnyx_mcp.cli.main import parse
from telnyx_mcp.cli.terminal import Terminal
from telnyx_mcp.config import keys
from telnyx_mcp.config.addresses import TELNYX_HOSTS, foreign_address
from telnyx_mcp.config.keys import KeyUnavailable, key_of, with_key
from telnyx_mcp.config.settings import Settings
from tests.support.scripted_telnyx import KEY

FOREIGN = (
    "http://127.0.0.1:9/v2",
    "https://api.telnyx.com.example.com/v2",
    "https://api.telnyx.com:8443/v2",
)


@pytest.mark.attack(
    "TELNYX_BASE_URL points at a stranger while the key is in the keyring",
    "The key is given to no other address",
)
@pytest.mark.parametrize("profile", [None, "eu"])
@pytest.mark.parametrize("source", ["auto", "keyring"])
@pytest.mark.parametrize("address", FOREIGN)
def test_a_key_stored_for_telnyx_is_given_to_no_other_address(
    keyring: KeyringBackend, address: str, source: str, profile: str | None
) -> None:
    keys.store_key(profile, SecretStr(KEY))
    at_telnyx = Settings(key_from=source, profile=profile)
    elsewhere = Settings(key_from=source, profile=profile, base_url=address)
    regional = Settings(key_from=source, profile=profile, base_url="https://api.telnyx.eu/v2")
    assert key_of(at_telnyx) == key_of(regional) == SecretStr(KEY)
    assert key_of(elsewhere) is None


def test_a_key_stored_for_one_foreign_address_is_given_to_no_other_and_not_to_telnyx(
    keyring: KeyringBackend,
) -> None:
    first, *rest = FOREIGN
    keys.store_key(None, SecretStr(KEY), first)
    asked = [Settings(key_from="keyring", base_url=each) for each in (first, *rest)]
    assert [key_of(each) is not None for each in asked] == [True, False, False]
    assert key_of(Settings(key_from="keyring")) is None
    assert keys.remove_key(None, first)
    assert key_of(asked[0]) is None


def test_a_key_of_an_existing_user_is_found_under_the_name_it_had(keyring: KeyringBackend) -> None:
    keyring.set_password("telnyx-account-mcp", "default", KEY)
    keyring.set_password("telnyx-account-mcp", "eu", "KEYeu")
    assert key_of(Settings(key_from="keyring")) == SecretStr(KEY)
    assert key_of(Settings(key_from="keyring", profile="eu")) == SecretStr("KEYeu")


@pytest.mark.parametrize("host", sorted(TELNYX_HOSTS))
def test_telnyx_own_regional_addresses_are_not_foreign(host: str) -> None:
    assert foreign_address(Settings(base_url=f"https://{host.upper()}:443/v2").base_url) is None


def terminal(typed: str = KEY) -> Terminal:
    return Terminal(read_secret=lambda _: typed, has_input=lambda: True)


@pytest.mark.parametrize("source", ["auto", "keyring"])
@pytest.mark.parametrize("profile", [None, "eu"])
def test_the_command_that_a_missing_key_names_works_as_typed(
    keyring: KeyringBackend, own: Path, source: str, profile: str | None
) -> None:
    own.write_text("[profiles.eu]\n", "utf-8")
    keys.store_key(profile, SecretStr("KEYtelnyx"))
    asked = Settings(key_from=source, profile=profile, base_url=FOREIGN[0])
    with pytest.raises(KeyUnavailable, match=r"http://127\.0\.0\.1:9") as missed:
        with_key(asked)
    command = missed.value.do[missed.value.do.index("telnyx-account-mcp key set") :]
    words = command.split(", or ")[0].split()[1:]
    _, options = parse(words)
    assert set_key(options.profile, None, terminal(), options.base_url) == 0
    assert key_of(asked) == SecretStr(KEY)
    assert key_of(asked.model_copy(update={"base_url": Settings().base_url})) == SecretStr(
        "KEYtelnyx"
    )


def test_a_key_is_set_for_the_address_of_the_environment_or_of_the_profile(
    keyring: KeyringBackend, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text(f'[profiles.eu]\nbase_url = "{FOREIGN[1]}"\n', "utf-8")
    monkeypatch.setenv("TELNYX_BASE_URL", FOREIGN[0])
    set_key(None, None, terminal("KEYone"))
    set_key("eu", None, terminal("KEYtwo"))
    assert keys.read_key(None, FOREIGN[0]) == SecretStr("KEYone")
    assert keys.read_key("eu", FOREIGN[1]) == SecretStr("KEYtwo")
    assert keys.read_key(None) is keys.read_key("eu") is None


def test_a_key_of_the_environment_goes_to_the_address_of_the_environment() -> None:
    asked = Settings(api_key=SecretStr(KEY), base_url=FOREIGN[0])
    assert key_of(asked) == SecretStr(KEY)
