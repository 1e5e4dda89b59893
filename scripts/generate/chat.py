"""The picture of an assistant that answers and asks: a real conversation with the sandbox, drawn as a chat.

`python -m scripts.generate.pictures` (`make pictures`) writes docs/images/chat-light.svg and chat-dark.svg; a
test draws them again. No model takes part: the sentences are written here, and every figure in them, the
question and the outcome are what the tools returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from tempfile import TemporaryDirectory
from textwrap import wrap
from typing import Any

import anyio
from mcp import Client
from pydantic import SecretStr

from telnyx_mcp.config.settings import Settings
from telnyx_mcp.sandbox import running_sandbox
from telnyx_mcp.server.build import build_server
from tests.support.client import content_of
from tests.support.clock import NOW, TODAY
from tests.support.person import Person, agrees

WIDTH = 720
MARGIN = 24
LINE = 22
PADDING = 14
LETTER = 8.3
"""About the width of a letter, at the size of the text."""
COLOURS: Mapping[str, Mapping[str, str]] = {
    "light": {
        "paper": "#ffffff",
        "edge": "#d0d7de",
        "text": "#1f2328",
        "quiet": "#59636e",
        "person": "#ddf4ff",
        "question": "#fff8c5",
        "done": "#1a7f37",
    },
    "dark": {
        "paper": "#0d1117",
        "edge": "#3d444d",
        "text": "#f0f6fc",
        "quiet": "#9198a1",
        "person": "#10345c",
        "question": "#352d0e",
        "done": "#3fb950",
    },
}


@dataclass(frozen=True)
class Said:
    """A part of the conversation: `person`, `call`, `assistant`, `question`, `typed` or `outcome`."""

    kind: str
    lines: Sequence[str]


def conversation() -> tuple[Said, ...]:
    """What was said, with the figures of the sandbox account of 2026-06-15."""
    return anyio.run(_conversation)


async def _conversation() -> tuple[Said, ...]:
    with TemporaryDirectory() as folder, running_sandbox(today=TODAY, rate_limit=None) as sandbox:
        account = Settings(
            api_key=SecretStr(sandbox.key),
            base_url=sandbox.base_url,
            state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
            approval="elicitation",
        )
        person = Person(agrees)
        server = build_server(account, now=lambda: NOW)
        async with Client(server, elicitation_callback=person) as client:
            spend = {"period": "2026-05", "compare_to": "previous"}
            spent = content_of(await client.call_tool("telnyx_summarize_spend", spend))
            payment = {"amount": "120"}
            paid = content_of(
                await client.call_tool("telnyx_create_stored_payment_transaction", payment)
            )
    (question,) = person.questions
    return (
        Said("person", ["What did we spend in May, and why more than in April?"]),
        Said("call", ['telnyx_summarize_spend(period="2026-05", compare_to="previous")']),
        Said("assistant", _answer(spent)),
        Said("person", ["Top us up by $120."]),
        Said("call", ['telnyx_create_stored_payment_transaction(amount="120")']),
        Said("question", question.splitlines()),
        Said("typed", [str((agrees(question).content or {})["amount"])]),
        Said(
            "outcome",
            [f"{paid['message']} Balance: {paid['balance_before']} → {paid['balance_after']} USD."],
        ),
    )


def _answer(spent: Mapping[str, Any]) -> list[str]:
    (month,), (difference,) = spent["spent"], spent["compared"]["differences"]
    charged, currency = difference["charged"], month["currency"]
    first, second = list(month["usage_by_product"].items())[:2]
    drivers = ", ".join(
        f"{each['name']} {_money(each['change'])}" for each in difference["drivers"][:3]
    )
    return [
        f"{_money(month['charged'])} {currency}, {charged['percent']} against April "
        f"({_money(charged['was'])}): {_money(month['usage'])} usage, {_money(month['recurring'])} "
        f"recurring, {_money(month['one_time'])} one-time.",
        f"Most usage: {first[0]} {_money(first[1])}, {second[0]} {_money(second[1])}.",
        f"What changed most: {drivers}. Taxes are on the invoice only.",
    ]


def _money(amount: str) -> str:
    """To the cent, with the sign that it came with."""
    return f"{'+' if amount.startswith('+') else ''}{Decimal(amount):,.2f}"


# --- drawn ---------------------------------------------------------------------------------------


def drawn(said: Sequence[Said], colours: Mapping[str, str]) -> str:
    """The conversation as SVG."""
    parts, y = [], MARGIN
    for each in said:
        part, y = _drawn_part(each, y, colours)
        parts.append(part)
    height = y + MARGIN - 12
    told = escape(" ".join(line for each in said for line in each.lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, '
        f'sans-serif" font-size="15">\n<title>An assistant answers, and asks before it pays</title>\n'
        f"<desc>{told}</desc>\n"
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="12" '
        f'fill="{colours["paper"]}" stroke="{colours["edge"]}"/>\n' + "".join(parts) + "</svg>\n"
    )


def _drawn_part(said: Said, y: int, colours: Mapping[str, str]) -> tuple[str, int]:
    """The part, and where the next begins."""
    widest = WIDTH - 2 * MARGIN
    if said.kind == "call":
        line = _text(said.lines[0], MARGIN, y + 13, colours["quiet"], mono=True)
        return line, y + LINE + 8
    if said.kind == "outcome":
        return _text(
            f"✓ {said.lines[0]}", MARGIN, y + 16, colours["done"], bold=True
        ), y + LINE + 12
    room = int((widest - 2 * PADDING) / LETTER)
    lines = [piece for line in said.lines for piece in wrap(line, room)]
    if said.kind == "typed":
        lines = [f"{lines[0]} · Approve"]
    height = len(lines) * LINE + 2 * PADDING - 6
    width = widest
    left = MARGIN
    if said.kind in {"person", "typed"}:
        width = int(max(len(line) for line in lines) * LETTER) + 2 * PADDING
        left = WIDTH - MARGIN - width
    fill = {"person": "person", "typed": "person", "question": "question"}.get(said.kind, "paper")
    edge = "none" if fill == "person" else colours["edge"]
    box = (
        f'<rect x="{left}" y="{y}" width="{width}" height="{height}" rx="10" '
        f'fill="{colours[fill]}" stroke="{edge}"/>\n'
    )
    texts = "".join(
        _text(
            line,
            left + PADDING,
            y + PADDING + 12 + number * LINE,
            colours["text"],
            bold=said.kind == "question" and number == 0,
        )
        for number, line in enumerate(lines)
    )
    return box + texts, y + height + 12


def _text(text: str, x: int, y: int, colour: str, *, mono: bool = False, bold: bool = False) -> str:
    style = (
        ' font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12.5"' if mono else ""
    )
    style += ' font-weight="600"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="{colour}"{style}>{escape(text)}</text>\n'


def pictures() -> dict[str, str]:
    """The files by their names."""
    said = conversation()
    return {f"chat-{name}.svg": drawn(said, colours) for name, colours in COLOURS.items()}
