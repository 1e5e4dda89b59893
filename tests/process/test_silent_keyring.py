"""A keyring that never answers, or gives an odd answer: the call says so, and the process can end."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend

from telnyx_mcp.config import keys
from telnyx_mcp.config.keys import KeyringSilent, KeyUnavailable, read_key, remove_key, store_key
from telnyx_mcp.sandbox import Sandbox
from tests.support.polling import until
from tests.support.server_process import environment_for, newly_started

BALANCE = {"name": "telnyx_get_balance", "arguments": {}}
BACKEND = """
import pathlib, time
from keyring.backend import KeyringBackend

class Odd(KeyringBackend):
    priority = 1

    def get_password(self, service, name):
        pathlib.Path({asked!r}).touch()
        {does}

    set_password = delete_password = None
"""


def environment(sandbox: Sandbox, folder: Path, does: str) -> dict[str, str]:
    """That of a server whose keyring does this when it is asked for a key."""
    text = BACKEND.format(asked=str(folder / "asked"), does=does)
    (folder / "odd.py").write_text(text, encoding="utf-8")
    return environment_for(sandbox, folder) | {
        "TELNYX_API_KEY": "",
        "TELNYX_MCP_KEY_FROM": "keyring",
        "PYTHON_KEYRING_BACKEND": "odd.Odd",
        "PYTHONPATH": str(folder),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="stdin's end is seen otherwise there")
async def test_the_end_of_stdin_ends_a_server_whose_keyring_never_answers(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    hangs = environment(sandbox, tmp_path, "time.sleep(600)")
    async with newly_started(environment=hangs) as server:
        await server.initialize()
        await server.send({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": BALANCE})
        await until((tmp_path / "asked").exists)
        async with asyncio.timeout(10):  # less than the keyring is waited for
            status, _, stderr = await server.ended()
    assert status == 0
    assert b"Traceback" not in stderr


@pytest.mark.slow
async def test_a_call_that_a_keyring_does_not_answer_ends_in_words(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    hangs = environment(sandbox, tmp_path, "time.sleep(600)")
    async with newly_started(environment=hangs) as server:
        await server.initialize()
        async with asyncio.timeout(25):
            told = await server.ask("tools/call", BALANCE)
        assert told["isError"]
        assert "The keyring has not answered within 15 s" in told["content"][0]["text"]
        assert len((await server.ask("tools/list"))["tools"]) > 1
        assert (await server.ended())[0] == 0


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("raise SystemExit('KEYsecret')", "could not be read (SystemExit)"),
        ("raise BaseException('KEYsecret')", "could not be read (BaseException)"),
        ("raise TimeoutError('KEYsecret')", "could not be read (TimeoutError)"),
        ("raise KeyboardInterrupt", "could not be read (KeyboardInterrupt)"),
        ("return b'KEYsecret'", "is not text"),
        ("return 5", "is not text"),
        ("return ''", "There is no API key in the keyring"),
        ("return '  '", "no API key"),
        ("return None", "There is no API key in the keyring"),
    ],
)
async def test_whatever_a_keyring_does_is_an_answer_to_the_call(
    sandbox: Sandbox, tmp_path: Path, does: str, words: str
) -> None:
    async with newly_started(environment=environment(sandbox, tmp_path, does)) as server:
        await server.initialize()
        told = await server.ask("tools/call", BALANCE)
        assert told["isError"]
        text = told["content"][0]["text"]
        assert words in text
        assert "KEYsecret" not in text
        assert (await server.ended())[0] == 0


# --- in this process -----------------------------------------------------------------------------


@pytest.fixture
def unanswered(keyring: KeyringBackend, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A keyring that answers when its event is set, and counts the questions."""

    class Slow:
        asked = 0
        answers = threading.Event()

        def ask(self, *_: Any) -> str:
            self.asked += 1
            self.answers.wait(20)
            return "KEY0123456789"

    slow = Slow()
    for each in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, each, slow.ask)
    yield slow
    slow.answers.set()


def test_the_next_question_waits_for_the_answer_to_the_first(unanswered: Any) -> None:
    for _ in range(3):
        with pytest.raises(KeyringSilent, match="has not answered"):
            read_key(None, patience=0.02)
    assert unanswered.asked == 1, "or the user sees three windows"
    unanswered.answers.set()
    key = read_key(None, patience=20)
    assert key
    assert key.get_secret_value() == "KEY0123456789"
    read_key(None, patience=20)
    assert unanswered.asked == 2


@pytest.mark.parametrize(
    "does",
    [
        lambda: read_key("eu", patience=0.02),
        lambda: keys.key_of(_settings(), patience=0.02),
        lambda: keys.with_key(_settings(), patience=0.02),
    ],
)
def test_a_silent_keyring_is_not_taken_for_one_without_a_key(
    unanswered: Any, does: Callable[[], object]
) -> None:
    with pytest.raises(KeyUnavailable, match="has not answered"):
        does()


def _settings() -> Any:
    from telnyx_mcp.config.settings import Settings

    return Settings(key_from="keyring", profile="silent")


def test_a_key_is_stored_and_removed_in_a_thread_too(keyring: KeyringBackend) -> None:
    from pydantic import SecretStr

    store_key("eu", SecretStr("KEY0123456789"))
    assert read_key("eu")
    assert remove_key("eu")
    assert not remove_key("eu")
