"""`call` as a person types it: names, help, accounts, and completion in the shell."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telnyx_mcp.cli.completion import SCRIPTS
from telnyx_mcp.sandbox import Sandbox
from telnyx_mcp.tools import TOOLS
from tests.support.command import Run
from tests.support.server_process import environment_for


def test_call_without_a_tool_prints_the_tools_as_json(run: Run) -> None:
    listed = json.loads(run("call", "--json").stdout)
    assert [each["name"] for each in listed] == [each.name for each in TOOLS]
    assert all(each["arguments"]["type"] == "object" for each in listed)


@pytest.mark.parametrize(
    "name",
    ["get_balance", "telnyx_get_balance", "get-balance", "telnyx-get-balance", "GET_BALANCE"],
)
def test_a_tool_is_called_by_any_spelling_of_its_name(
    run: Run, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    done = run("call", name, "--json", **environment_for(sandbox, tmp_path))
    assert done.returncode == 0
    assert json.loads(done.stdout)["currency"] == "USD"


@pytest.mark.parametrize("name", ["get_balanc", "telnyx_get_balanse", "balance"])
def test_a_wrong_name_is_answered_with_the_nearest(
    run: Run, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    done = run("call", name, **environment_for(sandbox, tmp_path))
    assert done.returncode == 1
    assert "Did you mean telnyx_get_balance?" in done.stderr
    helped = run("call", name, "--help")
    assert helped.returncode == 2
    assert "Did you mean telnyx_get_balance?" in helped.stderr


@pytest.mark.parametrize("tool", [each.name for each in TOOLS])
def test_help_after_a_tool_says_what_each_argument_takes(run: Run, tool: str) -> None:
    done = run("call", tool, "--help")
    assert done.returncode == 0
    schema = next(each for each in TOOLS if each.name == tool).input_schema
    for name, each in schema["properties"].items():
        assert f"\n{name}=  " in done.stdout
        assert each["description"].split(". ")[0] in " ".join(done.stdout.split())
        assert all(str(value) in done.stdout for value in each.get("enum", ()))


def test_help_without_a_tool_is_that_of_the_command(run: Run) -> None:
    assert "key=value" in run("call", "--help").stdout


def test_a_call_takes_the_account_of_a_profile(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(
        'default = "main"\n[profiles.main]\nkey_from = "env:MAIN"\n[profiles.eu]\nkey_from = "env:EU"\n',
        "utf-8",
    )
    environment = environment_for(sandbox, tmp_path) | {
        "TELNYX_API_KEY": "",
        "MAIN": "KEYnobody",
        "EU": sandbox.key,
        "TELNYX_MCP_PROFILES": str(file),
    }
    done = run("call", "get_balance", "account=eu", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["account"] == "eu"
    wrong = run("call", "get_balance", "account=us", **environment)
    assert "`account` must be one of main, eu" in wrong.stderr


# --- completion ------------------------------------------------------------------------------------


def completed(run: Run, line: str) -> list[str]:
    return run("--completing", f"telnyx-account-mcp {line}").stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("led", ["ledger"]),
        ("--comp", ["--completion"]),
        ("--completion z", ["zsh"]),
        ("call get_ba", ["get_balance"]),
        ("call telnyx_get_ba", ["telnyx_get_balance"]),
        ("call --sandbox get_ba", ["get_balance"]),
        (
            "call get-balance inc",
            ["include_runway=", "include_runway=false", "include_runway=true"],
        ),
        ("call list_invoices sort=-", ["sort=-period_start"]),
        ("call get_balance --sand", ["--sandbox"]),
        ("key se", ["set"]),
        ("key set --from", ["--from-env"]),
        ("install claude-d", ["claude-desktop"]),
        ("no-such-command ", []),
        ("call no_such_tool a", []),
    ],
)
def test_the_last_word_is_completed(run: Run, line: str, found: list[str]) -> None:
    assert completed(run, line) == found


def test_the_scripts_are_printed_and_another_shell_is_refused(run: Run) -> None:
    for shell, script in SCRIPTS.items():
        assert run("--completion", shell).stdout == script
    refused = run("--completion", "tcsh")
    assert refused.returncode == 2
    assert "--completion takes bash, zsh, fish" in refused.stderr


@pytest.mark.skipif(not shutil.which("bash") or sys.platform == "win32", reason="needs bash")
@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("led", "ledger"),
        ("call get_ba", "get_balance"),
        ("call list_invoices sort=-p", "-period_start"),
    ],
)
def test_bash_completes_a_word(tmp_path: Path, line: str, reply: str) -> None:
    command = tmp_path / "telnyx-account-mcp"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m telnyx_mcp "$@"\n', "utf-8")
    command.chmod(0o755)
    typed = f"telnyx-account-mcp {line}"
    script = (
        f'{SCRIPTS["bash"]}\nCOMP_LINE="{typed}"; COMP_POINT={len(typed)}\n'
        '_telnyx_account_mcp; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout.splitlines() == [reply], done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_another_shell_accepts_its_script(shell: str) -> None:
    if not (program := shutil.which(shell)):
        pytest.skip(f"needs {shell}")
    subprocess.run([program, "-n"], input=SCRIPTS[shell], text=True, check=True, timeout=20)
