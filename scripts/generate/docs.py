"""The parts of README.md and docs/ that are made from the code.

`python -m scripts.generate.docs` (`make docs`) writes them, each between `<!-- made: NAME -->` and
`<!-- end -->`; a test holds the pages to the code.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import anyio
from mcp import Client
from mcp_types import CallToolResult
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from scripts.generate.rate_limit import time_line
from telnyx_mcp.approval.team.roles import Role
from telnyx_mcp.clients.catalog import CLIENTS, FILE_CLIENTS
from telnyx_mcp.clients.client import PACKAGED, Host
from telnyx_mcp.clients.client import Client as Assistant
from telnyx_mcp.clients.entry import ASKED, KEY, PLACEHOLDER, Entry
from telnyx_mcp.clients.inputs import fragment
from telnyx_mcp.clients.names import NAME
from telnyx_mcp.config.profiles import SETTABLE
from telnyx_mcp.config.settings import Settings, default_of
from telnyx_mcp.sandbox import Sandbox, running_sandbox
from telnyx_mcp.sandbox.faults import KINDS
from telnyx_mcp.server.build import build_server
from telnyx_mcp.service.config import OVERRIDES, Address, ServiceConfig
from telnyx_mcp.service.secrets_of import NAMES
from telnyx_mcp.tools import TOOLS
from tests.support.client import text_of
from tests.support.clock import NOW, TODAY
from tests.support.person import Person, agrees

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(r"(<!-- made: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
COMMAND = "telnyx-account-mcp"


def rewritten(text: str) -> str:
    """The page with every block as it should be."""
    return _BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}{found[4]}", text)


# --- settings -------------------------------------------------------------------------------------


def settings() -> str:
    rows = ["| environment | in a profile | default | what it sets |", "|---|---|---|---|"]
    for name, each in Settings.model_fields.items():
        shown = "all" if name == "tools" else default_of(name)
        profile = f"`{name}`" if name in SETTABLE else "–"
        rows.append(
            f"| `{each.validation_alias}` | {profile} | {f'`{shown}`' if shown else ''} "
            f"| {each.description} |"
        )
    return "\n".join(rows) + "\n"


# --- the service ----------------------------------------------------------------------------------


def service_settings() -> str:
    rows = ["| in | key | default | what it sets |", "|---|---|---|---|"]
    variables = {key: variable for variable, key in OVERRIDES.items()}
    tables: Mapping[str, type[BaseModel]] = {
        "the top": ServiceConfig,
        **{f"`[{name}]`": model for name, model in tables_of(ServiceConfig).items()},
        "`[roles.NAME]`": Role,
    }
    for place, model in tables.items():
        for name, each in model.model_fields.items():
            if model is ServiceConfig and (name in tables_of(ServiceConfig) or name == "roles"):
                continue
            also = f" (`{variables[name]}`)" if model is ServiceConfig and name in variables else ""
            text = " ".join((each.description or "").split())
            rows.append(f"| {place} | `{name}`{also} | {_default(each)} | {text} |")
    return "\n".join(rows) + "\n"


def tables_of(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The fields of the model that are tables."""
    return {
        name: each.annotation
        for name, each in model.model_fields.items()
        if isinstance(each.annotation, type) and issubclass(each.annotation, BaseModel)
    }


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    match value:
        case None | () | "":
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case Address() | Decimal():
            return f'`"{value}"`'
        case tuple():
            return f"`{json.dumps([str(each) for each in value])}`"
        case timedelta():
            return f'`"{value // timedelta(hours=1)}h"`'
        case str():
            return f'`"{value}"`'
        case _:
            return f"`{value:g}`"


def service_secrets() -> str:
    rows = ["| environment | what it is |", "|---|---|"]
    rows += [f"| `{name}` | {text} |" for name, text in NAMES.items()]
    return "\n".join(rows) + "\n"


# --- clients --------------------------------------------------------------------------------------


def entry(client: Assistant) -> Entry:
    """What a client gets that has the command on its path, and the key in its own place."""
    if client.forward_field and client.place is None:
        return Entry([COMMAND], forwards=[KEY])
    return Entry([COMMAND], (), {KEY: ASKED if client.prompts_for_key else PLACEHOLDER})


def client_files() -> str:
    rows = ["| client | Linux | macOS | Windows |", "|---|---|---|---|"]
    machines = (
        Host("linux", Path("~"), {}),
        Host("darwin", Path("~"), {}),
        Host("win32", Path("~"), {}),
    )
    for each in FILE_CLIENTS.values():
        files = [f"`{PurePosixPath(each.file(machine))}`" for machine in machines]
        if each.package and each.place:
            packages = PurePosixPath(machines[-1].folder("packages"))
            inside = f"{packages}/{each.package}_*/{PACKAGED}/{each.place[1]}"
            files[-1] = f"`{inside}`; if that does not exist, {files[-1]}"
        rows.append(f"| {each.title} | {' | '.join(files)} |")
    return "\n".join(rows) + "\n"


def client_entries() -> str:
    parts = []
    for each in CLIENTS.values():
        parts.append(f"### {each.title}\n\n```sh\n{COMMAND} install {each.name}\n```\n")
        parts.append(f"or by hand, if `{COMMAND}` is on the client's path:\n")
        parts.append(f"```{each.format}\n{fragment(each, NAME, entry(each)).rstrip()}\n```\n")
        parts.append(f"{each.next_step}\n")
    return "\n".join(parts)


def project_files() -> str:
    rows = ["| client | file in the folder | how it refers to the key |", "|---|---|---|"]
    for each in CLIENTS.values():
        if each.project_file is None:
            continue
        refers = (
            f"`{ASKED}`, which it asks for"
            if each.prompts_for_key
            else f'`{each.forward_field} = ["{KEY}"]`'
            if each.forward_field
            else f"`{(each.reference or '').replace('NAME', KEY)}`"
        )
        rows.append(f"| {each.title} | `{each.project_file}` | {refers} |")
    return "\n".join(rows) + "\n"


def deep_links() -> str:
    """Links that Cursor and VS Code open, to add a server whose command is on the path."""
    cursor = json.dumps({"command": COMMAND, "env": {KEY: ""}}).encode()
    configured = CLIENTS["vscode"]
    made = json.loads(fragment(configured, NAME, entry(configured)))
    code = {"name": NAME, **made["servers"][NAME], "inputs": made["inputs"]}
    at_cursor = (
        f"https://cursor.com/en/install-mcp?name={NAME}"
        f"&config={quote(base64.b64encode(cursor).decode(), safe='')}"
    )
    at_code = (
        f"https://insiders.vscode.dev/redirect?url={quote('vscode:mcp/install?', safe='')}"
        f"{quote(quote(json.dumps(code, separators=(',', ':')), safe=''), safe='')}"
    )
    return f"[Add to Cursor]({at_cursor}) · [Add to VS Code]({at_code})\n"


# --- tools ----------------------------------------------------------------------------------------

EXAMPLES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "telnyx_get_balance": (
        "What is our balance, and how long will it last?",
        {"include_runway": True},
    ),
    "telnyx_summarize_spend": (
        "What did we spend in May, and against April?",
        {"period": "2026-05", "compare_to": "previous"},
    ),
    "telnyx_get_charges_summary": (
        "What were we charged in the first week of May?",
        {"start_date": "2026-05-01", "end_date": "2026-05-08"},
    ),
    "telnyx_get_charges_breakdown": (
        "Which numbers were charged, and for what?",
        {"start_date": "2026-05-01", "page_size": 2},
    ),
    "telnyx_list_invoices": ("Which invoices are unpaid?", {"unpaid_only": True}),
    "telnyx_get_invoice": (
        "Where is the PDF of the last invoice?",
        {"include_download_link": True},
    ),
    "telnyx_summarize_usage": (
        "How many messages failed yesterday?",
        {"product": "messaging", "period": "yesterday", "group_by": ["status"]},
    ),
    "telnyx_search_detail_records": (
        "Show the last message that failed",
        {"record_type": "messaging", "filters": ["status=failed"], "page_size": 1},
    ),
    "telnyx_get_session_cost": (
        "What did this call cost, all in?",
        {"session_id": "1de96b4f-e883-4ed1-aff2-c73615fe6402"},
    ),
    "telnyx_list_audit_events": ("What was changed recently, and by whom?", {"page_size": 2}),
    "telnyx_list_webhook_deliveries": ("Which webhooks fail?", {"group_failures": True}),
    "telnyx_get_webhook_delivery": ("Why did this one fail?", {}),
    "telnyx_list_phone_numbers": ("How many numbers of each kind?", {"group_by": ["type"]}),
    "telnyx_list_user_tags": ("Which tags are in use?", {}),
    "telnyx_get_auto_recharge_preferences": ("When does Telnyx charge us automatically?", {}),
    "telnyx_list_changes": ("What have you changed?", {}),
    "telnyx_update_auto_recharge_preferences": (
        "Recharge below $50 (not approved yet)",
        {"threshold_amount": "50"},
    ),
    "telnyx_create_stored_payment_transaction": (
        "Top us up by $120 (not approved yet)",
        {"amount": "120"},
    ),
}


def tools() -> str:
    return anyio.run(_tools)


async def _tools() -> str:
    parts = []
    with TemporaryDirectory() as folder, running_sandbox(today=TODAY, rate_limit=None) as sandbox:
        account = Settings(
            api_key=SecretStr(sandbox.key),
            base_url=sandbox.base_url,
            state_url=SecretStr(f"sqlite:///{folder}/state.sqlite3"),
            approval="terminal",
        )
        moment = NOW
        async with Client(build_server(account, now=lambda: moment)) as client:
            for each in TOOLS:
                if each.changes:  # the question before it is over by then
                    moment += timedelta(minutes=11)
                question, arguments = EXAMPLES[each.name]
                arguments = await _with_id(client, each.name, arguments)
                if each.name == "telnyx_list_changes":
                    result = await _after_a_payment(account, sandbox)
                else:
                    result = await client.call_tool(each.name, arguments)
                shown = json.loads(text_of(result), parse_float=Decimal)
                shown.pop("sandbox", None)
                if "change_id" in shown:
                    shown["change_id"] = "…"
                if each.name == "telnyx_list_changes":
                    shown["items"][0]["id"] = "…"
                call = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
                answer = json.dumps(shown, indent=2, ensure_ascii=False, default=str)
                parts.append(
                    f"### {question}\n\n`{each.name}({call})`\n\n```json\n{_narrow(answer)}\n```\n"
                )
    return "\n".join(parts)


async def _after_a_payment(account: Settings, sandbox: Sandbox) -> CallToolResult:
    """The list of changes after one that was approved, in a store of its own."""
    with TemporaryDirectory() as folder:
        store = SecretStr(f"sqlite:///{folder}/state.sqlite3")
        other = account.model_copy(update={"state_url": store, "approval": "elicitation"})
        server = build_server(other, now=lambda: NOW)
        async with Client(server, elicitation_callback=Person(agrees)) as client:
            await client.call_tool("telnyx_create_stored_payment_transaction", {"amount": "75"})
            result = await client.call_tool("telnyx_list_changes", {})
    sandbox.account.reset()
    return result


async def _with_id(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments, with the id of what the list before shows first."""
    for name, lister, argument, more in (
        ("telnyx_get_invoice", "telnyx_list_invoices", "invoice_id", {}),
        (
            "telnyx_get_webhook_delivery",
            "telnyx_list_webhook_deliveries",
            "id",
            {"status": "failed"},
        ),
    ):
        if tool == name:
            listed = await client.call_tool(lister, {"page_size": 1, **more})
            first = (listed.structured_content or {})["items"][0][argument]
            return {"delivery_id" if argument == "id" else argument: first, **arguments}
    return arguments


def _narrow(answer: str) -> str:
    """The answer with short objects and lists on one line each."""
    return re.sub(
        r"[\[{]\n[^\[\]{}]*?[\]}]",
        lambda found: one if len(one := re.sub(r"\s*\n\s*", " ", found[0])) <= 96 else found[0],
        answer,
    )


# --- the sandbox ----------------------------------------------------------------------------------


def sandbox_faults() -> str:
    rows = [
        "| kind | what a client sees | carried out, unless you say otherwise |",
        "|---|---|---|",
    ]
    rows += [
        f"| `{each.name}` | {each.client_sees} | {'yes' if each.applied else 'no'} |"
        for each in KINDS.values()
    ]
    return "\n".join(rows) + "\n"


BLOCKS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "service-settings": service_settings,
    "service-secrets": service_secrets,
    "client-files": client_files,
    "client-entries": client_entries,
    "project-files": project_files,
    "deep-links": deep_links,
    "tools": tools,
    "sandbox-faults": sandbox_faults,
    "rate-limit-time-line": time_line,
}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(rewritten(page.read_text("utf-8")), "utf-8")
