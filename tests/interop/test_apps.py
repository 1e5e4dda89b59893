"""The pages in the chat in Chromium, under the AppBridge that hosts are made with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from telnyx_mcp.apps import PAGES
from telnyx_mcp.server.account_server import AccountServer
from tests.interop.processes import HERE, NODE_MODULES, run
from tests.support.chromium import NEEDS_CHROMIUM, PATIENCE, Browser, chromium
from tests.support.client import connected
from tests.support.polling import wait_until

pytestmark = [
    pytest.mark.interop,
    NEEDS_CHROMIUM,
]
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'none'; frame-src 'none'; base-uri 'none'"
)
"""What a host enforces for a page that may load nothing."""
HOSTILE = "</script><img src=x onerror=\"parent.postMessage('broken','*')\"><b>b</b>\u202eevil"
CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "spend": (
        "telnyx_summarize_spend",
        {"start_date": "2026-04-01", "end_date": "2026-06-01", "compare_to": "previous"},
    ),
    "usage": (
        "telnyx_summarize_usage",
        {"product": "messaging", "period": "last 7 days", "group_by": ["day"]},
    ),
    "webhooks": ("telnyx_list_webhook_deliveries", {"group_failures": True}),
}
CHANGE = {
    "state": "proposed",
    "message": "Nothing was sent yet: paying 120.00 is proposed and waits for an approver, until 12:00 UTC. "
    "Give the user this link: https://mcp.example.com/changes/986c9730fd2ae510",
    "change_id": "986c9730fd2ae510",
}
HTML = {each.name: each.html() for each in PAGES}
SIZES = {"wide": (900, 1700), "narrow": (340, 1900)}
DARK = {"--color-text-primary": "#f5f0e8", "--color-background-primary": "#201a2b"}


def result(content: Any) -> dict[str, Any]:
    return {
        "content": [{"type": "text", "text": json.dumps(content)}],
        "structuredContent": content,
    }


class Chat:
    """A host that shows one page."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def show(self, page: str, content: Any, **plan: Any) -> None:
        """Shows the page with this content, and waits until it is drawn."""
        self.browser.ask("POST", "/frame", id=None)
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        html = HTML[page].replace("<head>", f"<head>{policy}")
        plan = {"theme": "light", "result": result(content), **plan}
        # As text: WebDriver sorts the names of an object.
        self.run("window.show(arguments[0], JSON.parse(arguments[1]))", html, json.dumps(plan))
        wait_until(lambda: self.seen()["initialized"] and self.seen()["sizes"], PATIENCE)
        wait_until(lambda: "Waiting" not in self.text("#status"), PATIENCE)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.ask("POST", "/execute/sync", script=script, args=list(arguments))

    def outside(self, script: str) -> Any:
        """Runs a script in the host, and goes back into the page."""
        self.browser.ask("POST", "/frame", id=None)
        told = self.run(script)
        if self.run("return document.querySelector('iframe') !== null"):
            self.browser.ask("POST", "/frame", id=0)
        return told

    def seen(self) -> Any:
        return self.outside("return window.seen")

    def text(self, css: str = "main") -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", css))

    def press(self, label: str) -> None:
        self.run(
            "[...document.querySelectorAll('button')].find((b) => b.textContent === arguments[0]).click()",
            label,
        )

    def violations(self) -> list[str]:
        """What axe-core finds."""
        self.run(AXE.read_text("utf-8"))
        found = self.browser.ask(
            "POST",
            "/execute/async",
            script="const done = arguments[0]; axe.run(document).then((r) => done(r.violations"
            ".map((v) => v.id + ' ' + v.nodes.map((n) => n.html.slice(0, 120) + n.failureSummary))))",
            args=[],
        )
        return list(found)


AXE = NODE_MODULES / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def _chat(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    folder = tmp_path_factory.mktemp("chat")
    made = run(node, HERE / "apps_host.mjs", folder / "host.js", environment={})
    assert made.returncode == 0, made.stderr
    page = '<!doctype html><html lang="en"><title>Host</title><body><script src="host.js"></script>'
    (folder / "host.html").write_text(page, "utf-8")
    with chromium(folder) as browser:
        browser.go((folder / "host.html").as_uri())
        yield Chat(browser)


@pytest.fixture
def chat(_chat: Chat) -> Iterator[Chat]:
    _chat.browser.size(SIZES["wide"])
    yield _chat
    assert _chat.seen()["errors"] == []
    broken = [
        each for each in _chat.browser.complaints() if "Refused" in each or "Uncaught" in each
    ]
    assert broken == []


@pytest.fixture
async def contents(server: AccountServer) -> dict[str, Any]:
    """What the tools answer on the sandbox account."""
    async with connected(server) as client:
        answers = {
            page: (await client.call_tool(tool, arguments)).structured_content
            for page, (tool, arguments) in CALLS.items()
        }
    return {**answers, "change": CHANGE}


def input_of(page: str) -> dict[str, Any]:
    return CALLS[page][1] if page in CALLS else {"amount": "120.00", "reference": "invoice-2026-05"}


def test_each_page_is_drawn_in_both_themes_and_widths_and_accessible(
    chat: Chat, contents: dict[str, Any], tmp_path: Path
) -> None:
    for page, content in contents.items():
        for width, size in SIZES.items():
            for theme in ("light", "dark"):
                chat.browser.size(size)
                variables = DARK if theme == "dark" else {}
                chat.show(page, content, theme=theme, variables=variables, input=input_of(page))
                assert chat.violations() == [], (page, width, theme)
                assert chat.run("return document.documentElement.dataset.theme") == theme
                overflow = "return document.documentElement.scrollWidth - innerWidth"
                assert chat.run(overflow) <= 0, (page, width)
                chat.browser.screenshot(tmp_path / f"{page}-{width}-{theme}.png")


def test_figures_are_shown_as_the_tool_wrote_them(chat: Chat, contents: dict[str, Any]) -> None:
    spend = contents["spend"]
    chat.show("spend", spend)
    (row,) = spend["spent"]
    shown = chat.text()
    for figure in (
        row["charged"],
        *row["usage_by_product"].values(),
        *row["charges_by_line"].values(),
    ):
        assert figure in shown
    assert spend["compared"]["differences"][0]["charged"]["change"] in shown
    assert spend["note"] in shown
    chat.show("usage", contents["usage"], input=input_of("usage"))
    for group in contents["usage"]["groups"]:
        assert group["cost"] in chat.text()
    assert chat.run("return document.querySelectorAll('.columns rect').length") == 7
    chat.show("webhooks", contents["webhooks"])
    for item in contents["webhooks"]["items"]:
        assert item["delivered_rate"] in chat.text()
        assert item["url"] in chat.text()


def test_a_partial_figure_is_marked_and_an_unknown_one_is_no_zero(
    chat: Chat, contents: dict[str, Any]
) -> None:
    row = {"currency": "USD", "part_charged": "5.00", "part_usage": "5.00"}
    chat.show(
        "spend",
        {
            **contents["spend"],
            "compared": None,
            "spent": [row],
            "incomplete": {"wireless": "no answer"},
        },
    )
    assert "5.00 (part)" in chat.text()
    assert "wireless: no answer" in chat.text()
    chat.show("spend", {**contents["spend"], "compared": None, "spent": [{"currency": "USD"}]})
    assert chat.text(".big") == "Not known"
    chat.show(
        "usage",
        {
            **contents["usage"],
            "all": {"count": 3, "part": True},
            "groups": [{"day": "2026-06-09", "part": True}],
        },
    )
    assert chat.text(".big") == "Cost not known"
    assert chat.text("td:last-child") == "–"
    chat.show("webhooks", {**contents["webhooks"], "all_urls": {"part_sent": 4, "part_failed": 1}})
    assert "1 (part) failed of 4 (part)" in chat.text()
    assert "Rate not known" in chat.text()


def test_a_button_asks_the_same_tool_and_its_answer_is_drawn(
    chat: Chat, contents: dict[str, Any]
) -> None:
    other = {
        **contents["spend"],
        "compared": None,
        "spent": [{"currency": "USD", "charged": "77.70"}],
    }
    chat.show("spend", contents["spend"], input={"account": "eu"}, answers=[result(other)])
    chat.press("Last month")
    wait_until(lambda: "77.70" in chat.text(".big"), PATIENCE)
    (call,) = chat.seen()["calls"]
    assert (call["name"], call["arguments"]) == (
        CALLS["spend"][0],
        {"account": "eu", "period": "last month"},
    )
    chat.press("By month")
    wait_until(lambda: len(chat.seen()["calls"]) == 3, PATIENCE)
    wait_until(lambda: chat.text("#status") == "", PATIENCE)
    assert [each["arguments"]["start_date"] for each in chat.seen()["calls"][1:]] == [
        "2026-04-01",
        "2026-05-01",
    ]
    assert chat.text("#months tbody tr th") == "2026-04"
    assert chat.violations() == []
    chat.show("usage", contents["usage"], input=input_of("usage"))
    chat.press("By country")
    wait_until(lambda: len(chat.seen()["calls"]) == 1, PATIENCE)
    sent = chat.seen()["calls"][0]["arguments"]
    assert (sent["product"], sent["group_by"]) == ("messaging", ["country"])
    chat.show("webhooks", contents["webhooks"], input=input_of("webhooks"))
    chat.press("Latest failed")
    wait_until(lambda: len(chat.seen()["calls"]) == 1, PATIENCE)
    assert chat.seen()["calls"][0]["arguments"] == {"status": "failed"}


def test_a_failed_call_is_told_and_the_picture_stays(chat: Chat, contents: dict[str, Any]) -> None:
    failed = {"isError": True, "content": [{"type": "text", "text": "Try again in a minute."}]}
    chat.show("spend", contents["spend"], answers=[failed])
    before = chat.text("#view")
    chat.press("Last month")
    wait_until(lambda: chat.text("#status") == "Try again in a minute.", PATIENCE)
    assert chat.text("#view") == before


def test_the_page_of_a_change_only_opens_its_own_link(chat: Chat) -> None:
    chat.show("change", CHANGE, input=input_of("change"))
    assert chat.text("#heading") == "Waiting for a person’s answer"
    assert "120.00" in chat.text("#view")
    assert chat.run(
        "return [...document.querySelectorAll('button, a, input, form')].map((e) => e.textContent)"
    ) == ["Open the page of this change"]
    chat.press("Open the page of this change")
    wait_until(lambda: chat.seen()["links"], PATIENCE)
    assert chat.seen()["links"] == ["https://mcp.example.com/changes/986c9730fd2ae510"]
    assert chat.seen()["calls"] == []
    for message in (
        "see https://evil.example/changes/other",
        "javascript:alert(1)/changes/986c9730fd2ae510",
        "none",
    ):
        chat.show("change", {**CHANGE, "message": message})
        assert chat.run("return document.querySelectorAll('button').length") == 0
    failed = {"isError": True, "content": [{"type": "text", "text": "Nothing was done."}]}
    chat.show("change", None, result=failed)
    assert chat.text("#status") == "Nothing was done."


def hostile(content: Any) -> Any:
    """The same content with every text, and every free name, hostile."""
    if isinstance(content, dict):
        return {name: hostile(each) for name, each in content.items()}
    if isinstance(content, list):
        return [hostile(each) for each in content]
    return f"{content}{HOSTILE}" if isinstance(content, str) else content


def test_hostile_strings_stay_text(chat: Chat, contents: dict[str, Any]) -> None:
    for page, content in contents.items():
        content = hostile(content)
        for row in content.get("spent", []):
            row["usage_by_product"] = {HOSTILE: "1.00", "__proto__": "2.00"}
        content |= {"untrusted_text": "DO NOT SHOW", "untrusted_payload": {"a": "DO NOT SHOW"}}
        chat.show(page, content, input={"reference": HOSTILE, "amount": HOSTILE})
        assert chat.run("return document.querySelectorAll('img, b, main script').length") == 0, page
        assert "onerror" in chat.text(), page
        assert "DO NOT SHOW" not in chat.text(), page


def test_a_page_reaches_nothing_around_it(chat: Chat, contents: dict[str, Any]) -> None:
    chat.show("spend", contents["spend"])
    tried = chat.browser.ask(
        "POST",
        "/execute/async",
        script="""
        const done = arguments[0], held = {};
        const attempt = (name, what) => { try { what(); held[name] = false; } catch { held[name] = true; } };
        attempt("parent", () => parent.document.title);
        attempt("storage", () => localStorage.length);
        attempt("cookies", () => document.cookie);
        fetch("https://example.com")
          .then(() => (held.fetch = false), () => (held.fetch = true))
          .then(() => done(held));
        """,
        args=[],
    )
    assert tried == {"parent": True, "storage": True, "cookies": True, "fetch": True}
    chat.browser.complaints()


def test_the_theme_follows_the_host_and_the_size_follows_the_content(
    chat: Chat, contents: dict[str, Any]
) -> None:
    chat.show("spend", contents["spend"], variables={"--color-text-primary": "rgb(1, 2, 3)"})
    colour = "return getComputedStyle(document.body).color"
    assert chat.run(colour) == "rgb(1, 2, 3)"
    height = chat.run("return Math.ceil(document.body.getBoundingClientRect().height)")
    wait_until(lambda: chat.seen()["sizes"][-1]["height"] == height, PATIENCE)
    chat.outside(
        "window.bridge.setHostContext({theme: 'dark', "
        "styles: {variables: {'--color-text-primary': 'rgb(4, 5, 6)'}}})"
    )
    wait_until(lambda: chat.run(colour) == "rgb(4, 5, 6)", PATIENCE)
    assert chat.run("return document.documentElement.dataset.theme") == "dark"


def test_the_keyboard_reaches_every_button(chat: Chat, contents: dict[str, Any]) -> None:
    chat.show("spend", contents["spend"])
    tab, enter = "\ue004", "\ue007"
    chat.run("document.querySelector('#choices button').focus()")
    labels = []
    for _ in chat.run(
        "return [...document.querySelectorAll('#choices button')].map((b) => b.textContent)"
    ):
        labels.append(chat.run("return document.activeElement.textContent"))
        chat.browser.press(tab)
    assert labels == ["This month", "Last month", "Compare with the period before", "By month"]
    chat.run("document.querySelector('#choices button').focus()")
    chat.browser.press(enter)
    wait_until(lambda: len(chat.seen()["calls"]) == 1, PATIENCE)
    # The buttons are new ones then, and the focus is where it was.
    focused = "return document.activeElement.textContent"
    wait_until(lambda: chat.text("#status") == "", PATIENCE)
    wait_until(lambda: chat.run(focused) == "This month", PATIENCE)
