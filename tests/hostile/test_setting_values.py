"""What each setting may be, what it is where nobody sets it, and what is not taken for it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from telnyx_mcp.config.addresses import TELNYX_API, foreign_address, is_loopback, usable_address
from telnyx_mcp.config.settings import SECRETS, VARIABLES, Settings, variable_of
from telnyx_mcp.config.typed_key import usable_key, usable_token


def of(name: str, value: Any) -> Any:
    """What the setting is where this value is given."""
    values: dict[str, Any] = {name: value}
    return getattr(Settings(**values), name)


def refused(**values: Any) -> str:
    """What is said of values that can't be used."""
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    return str(caught.value)


def test_the_careful_defaults_hold_where_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    defaults = Settings().model_dump()
    assert defaults == {
        "api_key": None,
        "api_key_file": None,
        "key_from": "auto",
        "profile": None,
        "profiles_file": None,
        "base_url": "https://api.telnyx.com/v2",
        "read_only": False,
        "max_payment": Decimal("500.00"),
        "max_per_day": Decimal("1000.00"),
        "max_per_30_days": Decimal("5000.00"),
        "approval": "auto",
        "standing_budget_per_payment": Decimal("0.00"),
        "standing_budget_per_day": Decimal("0.00"),
        "state_url": None,
        "timezone": "UTC",
        "export_dir": None,
        "tools": ("billing", "usage", "audit", "webhooks", "numbers", "changes"),
        "http_token": None,
    }


def test_each_setting_has_its_variable_and_those_that_hold_secrets_are_known() -> None:
    ours = {"api_key": "TELNYX_API_KEY", "base_url": "TELNYX_BASE_URL"}
    ours |= {"profiles_file": "TELNYX_MCP_PROFILES"}
    ours |= {"api_key_file": "TELNYX_API_KEY_FILE"}
    for name in Settings.model_fields:
        variable = ours.get(name, f"TELNYX_MCP_{name.upper()}")
        assert variable_of(name) == variable
        assert VARIABLES[variable] == name
    assert {"TELNYX_API_KEY", "TELNYX_MCP_STATE_URL", "TELNYX_MCP_HTTP_TOKEN"} == SECRETS
    assert len(VARIABLES) == len(Settings.model_fields)


AMOUNTS = [
    *("max_payment", "max_per_day", "max_per_30_days"),
    *("standing_budget_per_payment", "standing_budget_per_day"),
]


@pytest.mark.parametrize("name", AMOUNTS)
def test_an_amount_is_never_below_zero_and_always_a_number(name: str) -> None:
    assert of(name, "0") == 0
    assert of(name, "12.34") == Decimal("12.34")
    for value in ("-0.01", "-1", "much", "", "NaN", "Infinity"):
        refused(**{name: value})


@pytest.mark.parametrize("channel", ["automatic", "none", "off", "client", ""])
def test_an_unknown_channel_is_refused(channel: str) -> None:
    refused(approval=channel)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://api.telnyx.com/v2/", TELNYX_API),
        (" https://API.telnyx.com:443/v2 ", TELNYX_API),
        ("", TELNYX_API),
        ("/", TELNYX_API),
        ("https://api.telnyx.com:444/v2", "https://api.telnyx.com:444/v2"),
        ("https://api.telnyx.com:80/v2", "https://api.telnyx.com:80/v2"),
        ("https://gateway.example/telnyx/v2//", "https://gateway.example/telnyx/v2"),
        ("http://127.0.0.1:80/v2", "http://127.0.0.1/v2"),
        ("http://127.0.0.1:443/v2", "http://127.0.0.1:443/v2"),
        ("http://localhost:8765/v2", "http://localhost:8765/v2"),
        ("http://[::1]:8765/v2", "http://[::1]:8765/v2"),
        ("https://[2001:db8::1]/v2", "https://[2001:db8::1]/v2"),
        ("https://api.telnyx.com", TELNYX_API),
        ("https://api.telnyx.com/v2/v2", TELNYX_API),
        ("https://api.telnyx.com//v2/", TELNYX_API),
        ("https://api.telnyx.com/v2/balance", TELNYX_API),
        ("http://api.telnyx.com/v2", TELNYX_API),
        ("HTTP://api.telnyx.com:80", TELNYX_API),
        ("api.telnyx.com/v2", TELNYX_API),
        ("api.telnyx.eu", "https://api.telnyx.eu/v2"),
        ("gateway.example/telnyx/v2/v2", "https://gateway.example/telnyx/v2"),
        ("https://gateway.example", "https://gateway.example"),
    ],
)
def test_one_address_has_one_spelling(address: str, kept: str) -> None:
    assert Settings(base_url=address).base_url == kept


LIKE = "must look like https://api.telnyx.com/v2"
NO_USER = f"{LIKE}, without a user or password; the key goes elsewhere"
NOTHING_AFTER = f"{LIKE}, with nothing after `?` or `#`"
HTTPS = "must begin with https:// (http:// is allowed on loopback only)"
VERSION = "must end in /v2, as in https://api.telnyx.com/v2: the server uses no other version"
WEB_PAGE = "must be the address of the API, https://api.telnyx.com/v2, not of a web page"


@pytest.mark.parametrize("end", ["/", "//", "/\t", "/\t/", "/\n/ "])
def test_an_address_has_one_spelling_however_it_ends(end: str) -> None:
    """It is part of what an account is known by."""
    assert usable_address(f"https://gateway.example/v2{end}") == "https://gateway.example/v2"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1.example.com/v2", HTTPS),
        ("http://localhost.example.com/v2", HTTPS),
        ("http://10.0.0.1/v2", HTTPS),
        ("ftp://127.0.0.1/v2", HTTPS),
        ("ftp://api.telnyx.com/v2", HTTPS),
        ("http://api.telnyx.com:8080/v2", HTTPS),
        ("https://user:pw@api.telnyx.com/v2", NO_USER),
        ("https://user@api.telnyx.com/v2", NO_USER),
        ("https://:pw@api.telnyx.com/v2", NO_USER),
        ("https://@api.telnyx.com/v2", NO_USER),
        ("user:pw@api.telnyx.com/v2", NO_USER),
        ("https://api.telnyx.com/v2?x=1", NOTHING_AFTER),
        ("https://api.telnyx.com/v2#x", NOTHING_AFTER),
        ("https://api.telnyx.com/v2?", NOTHING_AFTER),
        ("https://api.telnyx.com/v2#", NOTHING_AFTER),
        ("https:///v2", LIKE),
        ("https://api.telnyx.com:99999/v2", LIKE),
        ("https://api.telnyx.com:port/v2", LIKE),
        ("https://[::1/v2", LIKE),
        ("https://api telnyx.com/v2", LIKE),
        ("https://api.telnyx.com/v1", VERSION),
        ("https://api.telnyx.com/v22", VERSION),
        ("https://telnyx.com", WEB_PAGE),
        ("https://www.telnyx.com/v2", WEB_PAGE),
        ("https://portal.telnyx.com", WEB_PAGE),
        ("https://developers.telnyx.com", WEB_PAGE),
    ],
)
def test_an_address_that_would_reveal_the_key_or_is_invalid_is_refused(
    address: str, words: str
) -> None:
    with pytest.raises(ValueError, match="must") as refusal:
        usable_address(address)
    assert str(refusal.value) == words
    assert words in refused(base_url=address)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("126.255.255.255", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_only_this_computer_is_loopback(host: str, *, local: bool) -> None:
    assert is_loopback(host) is local


@pytest.mark.parametrize(
    ("address", "foreign"),
    [
        (TELNYX_API, None),
        *((f"https://api.telnyx.{each}/v2", None) for each in ("eu", "com.au", "ca", "me")),
        ("http://api.telnyx.com/v2", "http://api.telnyx.com"),
        ("https://api.telnyx.com:444/v2", "https://api.telnyx.com:444"),
        ("https://api.telnyx.com.example/v2", "https://api.telnyx.com.example"),
        ("http://127.0.0.1:8765/v2", "http://127.0.0.1:8765"),
    ],
)
def test_an_address_is_telnyxs_own_only_with_its_scheme_host_and_port(
    address: str, foreign: str | None
) -> None:
    assert foreign_address(address) == foreign


@pytest.mark.parametrize(
    "key", ["hunter 2", "hunter\n2", "hunter\u00e92", "hunter\x002", "hunter\t2"]
)
def test_a_key_that_cannot_stand_in_a_header_is_refused_unseen(key: str) -> None:
    with pytest.raises(
        ValueError, match=r"holds spaces or characters|holds a key with a line break"
    ) as caught:
        usable_key(key)
    assert "hunter" not in str(caught.value)
    assert "hunter" not in refused(api_key=key)


def test_a_key_is_stripped_and_an_empty_one_counts_as_missing() -> None:
    key = usable_key(" KEY1\n")
    assert key
    assert key.get_secret_value() == "KEY1"
    assert usable_key("  ") is None
    assert of("api_key", "") is None


@pytest.mark.parametrize("token", ["x" * 15, "", "x" * 15 + " ", "xxxxxxxx xxxxxxxx", "é" * 16])
def test_a_token_that_is_short_or_cannot_stand_in_a_header_is_refused_unseen(token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        usable_token(token)
    said = "a token has at least 16 letters, digits or signs, and no spaces"
    assert str(caught.value) == said
    assert (token or "never") not in refused(http_token=token or " ")


def test_a_token_of_sixteen_characters_is_taken() -> None:
    assert usable_token(" " + "x" * 16).get_secret_value() == "x" * 16


@pytest.mark.parametrize("source", ["Auto", "env:", "env:1A", "env:A-B", "keyring ", "file:x", ""])
def test_an_unknown_source_of_the_key_is_refused(source: str) -> None:
    assert "must be auto, keyring or env:NAME_OF_A_VARIABLE" in refused(key_from=source)


@pytest.mark.parametrize("name", ["export_dir", "profiles_file"])
def test_a_path_is_absolute_or_missing(name: str) -> None:
    assert of(name, "~/x") == Path.home() / "x"
    assert of(name, "/x/y") == Path("/x/y")
    for empty in ("", " ", ".", " . "):
        assert of(name, empty) is None
    assert "must be an absolute path" in refused(**{name: "exports"})


def test_an_empty_profile_counts_as_missing_and_an_unknown_zone_is_refused() -> None:
    assert Settings(profile="").profile is None
    assert Settings(profile="work").profile == "work"
    assert str(Settings(timezone="Europe/Berlin").zone) == "Europe/Berlin"
    assert str(Settings().zone) == "UTC"
    assert "must be an IANA name such as UTC or Europe/Berlin" in refused(timezone="Mars/Crater")
