"""Keys as people paste them: what is meant is taken, what is no key is named, and nothing is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from telnyx_mcp.config.keys import KeyUnavailable, key_of, with_key
from telnyx_mcp.config.profiles import configured
from telnyx_mcp.config.settings import Settings
from telnyx_mcp.config.typed_key import unquoted, usable_key
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.build import build_server
from tests.support.client import Mode, call, text_of
from tests.support.scripted_telnyx import KEY
from tests.support.server_process import environment_for, started


def key_in(text: str) -> str | None:
    key = usable_key(text)
    return key.get_secret_value() if key else None


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        " {}\r\n",
        '"{}"',
        "'{}'",
        "`{}`",
        "\u201c{}\u201d",
        "\u201e{}\u201c",
        "\u00ab{}\u00bb",
        "\"'{}'\"",
        "Bearer {}",
        "bearer  {}",
        "Authorization: Bearer {}",
        '"Authorization: Bearer {}"',
        "TELNYX_API_KEY={}",
        'export TELNYX_API_KEY="{}"',
        "set TELNYX_API_KEY={}",
        "$env:TELNYX_API_KEY = '{}'",
        '"TELNYX_API_KEY": "{}"',
        "TELNYX_KEY_EU={}",
        "api_key: {}",
        "\ufeff{}",
        "{}\u200b",
        "\u2060{}\u200e",
    ],
)
def test_a_key_is_taken_out_of_what_was_pasted_around_it(form: str) -> None:
    assert key_in(form.format(KEY)) == KEY


def test_a_character_that_cannot_be_seen_is_taken_out_of_the_middle_of_a_key() -> None:
    assert key_in(f"{KEY[:4]}\u200b{KEY[4:8]}\ufeff{KEY[8:]}") == KEY


@pytest.mark.parametrize(
    "text", ["", "  ", '""', "''", "Bearer", "Bearer ", "TELNYX_API_KEY=", "\ufeff"]
)
def test_what_is_empty_inside_counts_as_no_key(text: str) -> None:
    assert key_in(text) is None


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ('"a"', "a"),
        (" ' a b ' ", "a b"),
        ("\"'a'\"", "a"),
        ("\u201ea\u201c", "a"),
        ('""', ""),
        ('"', '"'),
        ('a"', 'a"'),
        ('"a', '"a'),
        ('"a" b', '"a" b'),
        ("\ufeffa\u200b", "a"),
    ],
)
def test_quotes_are_taken_off_where_they_are_around_the_whole(text: str, bare: str) -> None:
    assert unquoted(text) == bare


REFERENCE = "a reference, such as"
PLACEHOLDER = "a placeholder"
NO_KEYS = [
    ("${TELNYX_API_KEY}", REFERENCE),
    ("$TELNYX_API_KEY", REFERENCE),
    ("%TELNYX_API_KEY%", REFERENCE),
    ("${env:TELNYX_API_KEY}", REFERENCE),
    ("$env:TELNYX_API_KEY", REFERENCE),
    ("${input:telnyx-api-key}", REFERENCE),
    ("${user_config.api_key}", REFERENCE),
    ("${{ secrets.TELNYX_API_KEY }}", REFERENCE),
    ("{{TELNYX_API_KEY}}", REFERENCE),
    ("$(cat key)", REFERENCE),
    ("op://vault/telnyx/key", REFERENCE),
    ('"${TELNYX_API_KEY}"', REFERENCE),
    ("Bearer ${TELNYX_API_KEY}", REFERENCE),
    ("KEY...", "cut short or masked"),
    ("KEY\u2026", "cut short or masked"),
    ("KEY0123********cdef", "cut short or masked"),
    ("sk-...", "cut short or masked"),
    ("<your key>", PLACEHOLDER),
    ("<TELNYX_API_KEY>", PLACEHOLDER),
    ("YOUR_API_KEY", PLACEHOLDER),
    ("your-telnyx-api-key-here", PLACEHOLDER),
    ("YOUR_TELNYX_API_KEY", PLACEHOLDER),
    ("my key", PLACEHOLDER),
    ("xxx", PLACEHOLDER),
    ("KEYxxxxxxxx", PLACEHOLDER),
    ("KEY0000000000", PLACEHOLDER),
    ("changeme", PLACEHOLDER),
    ("null", PLACEHOLDER),
    ("undefined", PLACEHOLDER),
    ("TELNYX_API_KEY", PLACEHOLDER),
    ("API_KEY", PLACEHOLDER),
    ("sk-ant-api03-abcdefghijkl", "another service (Anthropic)"),
    ("sk-proj-abcdefghijkl", "another service (OpenAI or the like)"),
    ("sk_live_abcdefghijkl", "another service (Stripe)"),
    ("ghp_abcdefghijklmnop", "another service (GitHub)"),
    ("xoxb-1234-abcd", "another service (Slack)"),
    ("AKIAIOSFODNN7EXAMPLE", "another service (AWS)"),
    ("AC" + "0a" * 16, "another service (Twilio)"),
    ("SG.abcd.efgh", "another service (SendGrid)"),
    ("github_pat_11ABCDEFG", "another service (GitHub)"),
    ("glpat-abcdefghijkl", "another service (GitLab)"),
    ("AIzaSyA0123456789abcdefghijklmnopqrst", "another service (Google)"),
    ("hf_abcdefghijkl", "another service (Hugging Face)"),
    ("whsec_abcdefghijkl", "another service (Stripe)"),
    ("rk_test_abcdefghijkl", "another service (Stripe)"),
    ("ASIAIOSFODNN7EXAMPLE", "another service (AWS)"),
    ("SK" + "0a" * 16, "another service (Twilio)"),
    ("[key]", PLACEHOLDER),
    ("{key}", PLACEHOLDER),
    ("test", PLACEHOLDER),
    ("KEY0123\u2022\u2022\u2022\u2022", "cut short or masked"),
    ("eyJhbGciOi.eyJzdWIi.abc", "JSON web token"),
    ("e/pE8bqDoC5CsAM1HaUFHHGzOGa4bxKFyAA7JX0ekqM=", "the public key"),
    ("-----BEGIN PRIVATE KEY-----\nabc", "text of a key file"),
    ("https://portal.telnyx.com/api-keys", "an address"),
    ("me@example.com", "an e-mail address"),
    ("+1 555 0100", "a number"),
    ("1293384261075731499", "a number"),
    ("6a09cdc3-8948-47f0-aa62-74ac943d6c58", "an id"),
    (f"{KEY}\n{KEY}", "a line break"),
    (f"{KEY[:6]}\r\n{KEY[6:]}", "a line break"),
    (f"{KEY[:6]}\r{KEY[6:]}", "a line break"),
    (f"{KEY} {KEY}", "spaces or characters"),
]


SAID = {
    REFERENCE: "a reference, such as ${NAME}, that nothing filled in; put the value itself there",
    PLACEHOLDER: "a placeholder; put the key there, from the Mission Control Portal, API Keys",
    "cut short or masked": "a key that is cut short or masked; Telnyx shows a key in full only when it is "
    "created",
    "JSON web token": "a JSON web token, not an API key of Telnyx",
    "the public key": "the public key, which only checks webhooks; put the API key there",
    "text of a key file": "the text of a key file or certificate; an API key of Telnyx is one word",
    "an address": "an address; put the API key there",
    "an e-mail address": "an e-mail address; put the API key there",
    "a number": "a number; put the API key there",
    "an id": "an id; put the API key there",
    "a line break": "a key with a line break in it, or several; copy it again, as one line",
    "spaces or characters": "spaces or characters that no API key has; copy it again",
}


@pytest.mark.parametrize(("text", "words"), NO_KEYS)
def test_what_is_no_key_is_named_and_not_shown(text: str, words: str) -> None:
    service = f"a key of {words}; create one in the Mission Control Portal, API Keys"
    with pytest.raises(ValueError, match="holds ") as caught:
        usable_key(text)
    assert str(caught.value) == f"holds {SAID.get(words, service)}"


@pytest.mark.parametrize(
    ("text", "words"), [each for each in NO_KEYS if "service" in each[1] or "web token" in each[1]]
)
def test_a_key_of_another_service_is_for_a_gateway(text: str, words: str) -> None:
    assert usable_key(text, telnyx=False) == SecretStr(text)


def test_a_gateway_may_take_keys_of_another_form_but_no_placeholder() -> None:
    gateway = Settings(base_url="https://gateway.example/v2", api_key=SecretStr("sk-0123456789"))
    assert gateway.api_key == SecretStr("sk-0123456789")
    with pytest.raises(ValueError, match="a reference"):
        Settings(base_url="https://gateway.example/v2", api_key=SecretStr("${KEY}"))


@pytest.mark.attack(
    "A placeholder or a key of another service in the place of the key",
    "Nothing is sent, and each answer says what is there",
)
@pytest.mark.parametrize(("text", "words"), NO_KEYS[::7])
async def test_each_call_says_what_is_in_the_place_of_the_key_and_nothing_is_sent(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, mode: Mode, text: str, words: str
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", text)
    monkeypatch.delenv("TELNYX_MCP_PROFILES")
    server = build_server(configured(tolerant=True).main)
    for _ in range(2):
        refused = await call(server, "telnyx_get_balance", {}, mode)
        assert refused.is_error
        said = text_of(refused)
        assert f"TELNYX_API_KEY holds {words}"[:30] in said or words in said
        assert "Nothing was asked of Telnyx" in said
        assert "restart the server" in said
        assert text not in said
    await server.accounts.aclose()


@pytest.mark.parametrize("source", ["env:TELNYX_KEY_EU", "keyring"])
def test_a_key_from_any_source_is_read_the_same_way(keyring: object, source: str) -> None:
    from telnyx_mcp.config import keys

    def with_value(text: str) -> Settings:
        keys.store_key(None, SecretStr(text))
        environment["TELNYX_KEY_EU"] = text
        return Settings(key_from=source)

    environment: dict[str, str] = {}
    assert key_of(with_value(f'"Bearer {KEY}"'), environment) == SecretStr(KEY)
    with pytest.raises(KeyUnavailable, match=r"(TELNYX_KEY_EU|The keyring) holds a placeholder"):
        key_of(with_value("YOUR_API_KEY"), environment)


async def test_the_server_starts_with_an_unfilled_key_and_the_next_start_needs_no_key_at_all(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    environment = environment_for(sandbox, tmp_path) | {"TELNYX_API_KEY": "${user_config.api_key}"}
    async with started("serve", environment=environment) as server:
        await server.initialize()
        asked = {"name": "telnyx_get_balance", "arguments": {}}
        result = await server.ask("tools/call", asked)
        assert result["isError"]
        assert "TELNYX_API_KEY holds a reference" in result["content"][0]["text"]
        status, _, err = await server.ended()
    assert status == 0
    assert b"TELNYX_API_KEY holds a reference" in err
    async with started(
        "call", "--sandbox", "telnyx_get_balance", environment=environment
    ) as server:
        status, _, err = await server.ended()
    assert (status, err) == (0, b"")


def test_a_key_with_blanks_and_quotes_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELNYX_API_KEY", f" '{KEY}' ")
    assert with_key(Settings()).api_key == SecretStr(KEY)
