"""README and docs say what the code does, and what they show can be run."""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from scripts.generate.docs import EXAMPLES, PAGES, ROOT, rewritten
from telnyx_mcp.cli import main as cli
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.entry import command_of, env_of
from telnyx_mcp.config.settings import VARIABLES
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.server.http import about_token
from telnyx_mcp.server.http_token import Token
from telnyx_mcp.service.config import OVERRIDES
from telnyx_mcp.service.secrets_of import NAMES as SECRETS_OF_SERVICE
from telnyx_mcp.telnyx.models import ApiModel  # noqa: F401 - of the documentation's code
from telnyx_mcp.telnyx.operations import Operation  # noqa: F401
from telnyx_mcp.tools import TOOLS
from telnyx_mcp.tools.framework.spec import Call, ToolSpec  # noqa: F401
from tests.support.ports import free_port
from tests.support.server_process import environment_for

ALL_PAGES = (
    *PAGES,
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "llms.txt", "plugin/README.md")),
)
NAMES = [str(page.relative_to(ROOT)) for page in ALL_PAGES]
SECONDS = 60


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def made_from_the_code() -> Iterator[object]:
    """The pages with generated parts. docs/tools.md takes seconds: a sandbox answers all its examples."""
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        yield pytest.param(name, marks=pytest.mark.slow) if name == "docs/tools.md" else name


@pytest.mark.parametrize("name", list(made_from_the_code()))
def test_what_is_made_from_the_code_is_up_to_date(name: str) -> None:
    assert rewritten(text_of(name)) == text_of(name), "run `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    text, page = text_of(name), ROOT / name
    links = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for link in links:
        address, _, anchor = link.partition("#")
        if "://" in address:
            assert address.startswith("https://")
            continue
        target = (page.parent / address).resolve() if address else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
            assert anchor in slugs, link


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_and_tool_that_is_named_exists(name: str) -> None:
    text = text_of(name)
    # TEST_… are the tests' own; a name that ends in _ stands for several.
    settings = set(re.findall(r"(?<![A-Z_])TELNYX_(?:MCP_)?[A-Z0-9_]+[A-Z0-9]\b", text))
    of_service = SECRETS_OF_SERVICE.keys() | OVERRIDES.keys()
    assert settings - VARIABLES.keys() - of_service - {"TELNYX_KEY_EU"} == set()
    # Names that begin with telnyx_mcp_ are of metrics.
    tools = set(re.findall(r"\btelnyx_(?!mcp_)[a-z_]+[a-z]\b", text))
    assert (
        tools - {each.name for each in TOOLS} - {"telnyx_mcp", "telnyx_api_key"} - EXAMPLE == set()
    )


def test_no_text_tells_anyone_to_install_it_from_an_index() -> None:
    """The name is not published yet: whoever takes it there would get the keys of its users."""
    from_index = re.compile(
        r"(?:pip|pipx|uvx|uv tool|uv)\b(?! (?:tool )?uninstall)[^\n]{0,40}\btelnyx[-_](?:account[-_])?mcp"
    )
    files = [
        *(ROOT / "telnyx_mcp").rglob("*.py"),
        *(ROOT / "telnyx_mcp").rglob("*.html"),
        *ALL_PAGES,
    ]
    found = {
        str(each.relative_to(ROOT)): match[0]
        for each in files
        if (match := from_index.search(each.read_text("utf-8")))
    }
    assert found == {}


INLINE = re.compile(r"`telnyx-account-mcp ((?:[^`\n]|\n(?!\n))+)`")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_in_a_sentence_exists_with_its_options(name: str) -> None:
    """Those in a block of their own are run below."""
    for found in INLINE.finditer(text_of(name)):
        command, *rest = shlex.split(found[1])
        if command.startswith("--"):
            continue
        assert command in cli.COMMANDS, found[0]
        parser = argparse.ArgumentParser()
        cli.command(command).add_arguments(parser)
        known = {option for each in parser._actions for option in each.option_strings}
        options = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert options <= known, found[0]


def test_every_setting_is_documented() -> None:
    assert VARIABLES.keys() <= set(
        re.findall(r"`(TELNYX_[A-Z0-9_]+)`", text_of("docs/settings.md"))
    )


def test_what_is_generated_says_that_it_is_not_telnyxs() -> None:
    for name in ("README.md", "llms.txt", "plugin/README.md", "docs/troubleshooting.md"):
        assert "not affiliated with Telnyx" in " ".join(text_of(name).split()).replace("Not", "not")


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        waiting += [
            target for link in links if (target := (page.parent / link).resolve()).is_file()
        ]
    assert {str(page.relative_to(ROOT)) for page in set(PAGES) - seen} == set()


def test_every_tool_has_an_example() -> None:
    assert EXAMPLES.keys() == {each.name for each in TOOLS}


def test_the_deep_links_hold_what_install_writes() -> None:
    links = re.findall(r"\[Add to [^]]+\]\(([^)]+)\)", text_of("README.md"))
    cursor, code = (parse_qs(urlsplit(link).query) for link in links)
    made = json.loads(base64.b64decode(cursor["config"][0]))
    assert made["command"] == "telnyx-account-mcp"
    asked = json.loads(unquote(code["url"][0].partition("?")[2]))
    assert asked["env"]["TELNYX_API_KEY"] == f"${{input:{asked['inputs'][0]['id']}}}"
    assert asked["inputs"][0]["password"] is True


# --- what can be run -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Snippet:
    """A fenced part of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets(*languages: str) -> Iterator[Snippet]:
    for name in NAMES:
        text = text_of(name)
        for found in re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            if found[1] in languages:
                yield Snippet(name, text.count("\n", 0, found.start()) + 2, found[1], found[2])


def commands() -> Iterator[tuple[str, str]]:
    """Each line of the shell snippets, without what is said beside it; the same one once."""
    seen: set[str] = set()
    for each in snippets("sh"):
        for number, line in enumerate(each.text.replace("\\\n", " ").splitlines()):
            command = re.sub(r"(^|\s)#.*", "", line).strip()
            if command and command not in seen:
                seen.add(command)
                yield f"{each.page}:{each.line + number}", command


COMMANDS = list(commands())
EXAMPLE = {"telnyx_list_balances"}
"""The tool that docs/add-an-operation.md adds."""
ENDLESS = ("serve", "sandbox")
"""What serves until it is stopped: started, and stopped."""
EXIT = {"approve": (2,), "key": (1,), "resolve": (1, 2), "ledger": (0, 1)}
"""What needs a person at a terminal, or a change to speak of, and says so here."""
ELSEWHERE: Mapping[str, str] = {
    "make": "run by CI; here only that there is such a target",
    "bash": "CI itself",
    "git": "fetches from where the project is published",
    "cd": "goes with it",
    "export": "sets what this test sets",
    "pip": "installs; CI does so with the wheel",
    "pipx": "installs; CI does so with the wheel",
    "uv": "installs; CI does so with the wheel",
    "claude": "another program's",
    "curl": "run by test_sandbox_page.py",
    "docker": "needs an engine",
}


@pytest.mark.slow
@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=[each[0] for each in COMMANDS])
def test_every_command_that_is_shown_can_be_run(
    where: str, command: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        done = subprocess.run(
            ["make", "-n", *targets], cwd=ROOT, capture_output=True, check=False, timeout=SECONDS
        )
        assert done.returncode == 0, done.stderr
        return
    if words[0] in ELSEWHERE:
        return
    assert Path(words[0]).name == "telnyx-account-mcp", f"{where}: what is {words[0]}?"
    profiles = tmp_path / "profiles.toml"
    profiles.write_text(
        '[profiles.main]\n[profiles.eu]\nkey_from = "env:TELNYX_API_KEY"\n', "utf-8"
    )
    if "--key-file" in words:
        key = tmp_path / "telnyx.key"
        key.write_text(sandbox.key, "utf-8")
        key.chmod(0o600)
    environment = environment_for(sandbox, tmp_path) | {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TELNYX_MCP_PROFILES": str(profiles),
    }
    arguments = [word.replace("127.0.0.1:8000", f"127.0.0.1:{free_port()}") for word in words[1:]]
    if arguments == ["sandbox"]:
        arguments += ["--port", "0"]
    if arguments[0] in {"install", "uninstall"} and "--print" not in arguments:
        arguments.append("--yes")
    with subprocess.Popen(
        [sys.executable, "-m", "telnyx_mcp", *arguments],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            if arguments[0] in ENDLESS and arguments[0:2] != ["serve", "--profile"]:
                assert process.stdout
                while b"http" not in (said := process.stdout.readline()):
                    assert said, "it ended before it served"
                process.terminate()
            said = process.communicate(timeout=SECONDS)[0]
        finally:
            process.kill()
    if arguments[0] not in ENDLESS:
        assert process.returncode in EXIT.get(arguments[0], (0,)) or b"Nothing was sent" in said, (
            said
        )
    assert b"usage:" not in said
    assert sandbox.key.encode() not in said


@pytest.mark.parametrize("snippet", list(snippets("json", "toml")), ids=str)
def test_every_configuration_that_is_shown_is_one(snippet: Snippet) -> None:
    data = json.loads(snippet.text) if snippet.language == "json" else tomllib.loads(snippet.text)
    tables = {each.table for each in CLIENTS.values()} & data.keys()
    for table in tables:
        for server in data[table].values():
            if "url" in server:
                shown = about_token(server["url"], Token("", "a file"))
                assert data == json.loads(shown[shown.index("{") :])
                continue
            assert command_of(server) == ["telnyx-account-mcp"]
            assert env_of(server).keys() <= VARIABLES.keys()


def test_no_snippet_is_of_a_kind_that_nothing_looks_at() -> None:
    kinds = {
        found
        for name in NAMES
        for found in re.findall(r"^ *```(\w+)$", text_of(name), re.MULTILINE)
    }
    assert kinds <= {"sh", "json", "toml", "yaml", "python", "text"}
    assert shutil.which("make")
