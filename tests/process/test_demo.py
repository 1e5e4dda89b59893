"""`demo`, as a new user runs it."""

from __future__ import annotations

from pathlib import Path

from tests.support.server_process import started


async def test_the_demo_answers_shows_a_decline_and_leaves_nothing_behind(
    untouched: dict[str, str], tmp_path: Path
) -> None:
    key, store = "KEY0199_of_the_user", tmp_path / "mine.sqlite3"
    own = {"TELNYX_API_KEY": key, "TELNYX_MCP_STATE_URL": f"sqlite:///{store}"}
    # It answers eight questions: seconds alone, and more on a loaded machine.
    async with started(
        "demo", environment=untouched | own | {"COLUMNS": "80"}, seconds=90
    ) as server:
        status, out, err = await server.ended()
    assert (status, err) == (0, b"")
    text = out.decode()
    for shown in ("What did we spend in May?", "recurring", "unpaid", "Top us up", "declined"):
        assert shown in text
    assert key not in text
    assert text.count("Sandbox account") == 1
    assert not [line for line in text.splitlines() if line.count(", ") > 2], "a list with commas"
    assert all(title in text for title in ("April", "change", "percent"))
    assert not store.exists()
