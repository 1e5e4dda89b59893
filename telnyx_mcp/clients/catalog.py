"""The assistants that the server can be installed in: where each stores its servers, and how.

The paths and shapes are those of each client's own documentation, read in November 2026; the page is in
tests/install/test_documented_entries.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from telnyx_mcp.clients.client import Client, OwnCommand
from telnyx_mcp.clients.variables import DESKTOP, DIRECTORIES, FEW, PROXIES

_PASTE = "Add this to its list of MCP servers, and start it again."

_ALL = (
    Client(
        "claude-desktop",
        "Claude Desktop",
        ("config", "Claude/claude_desktop_config.json"),
        "mcpServers",
        "Quit Claude Desktop and start it again.",
        package="Claude",
    ),
    Client(
        "claude-code",
        "Claude Code",
        ("home", ".claude.json"),
        "mcpServers",
        "Start a new session; /mcp shows the server.",
        directory_variable=("CLAUDE_CONFIG_DIR", ".claude.json"),
        fixed_fields={"type": "stdio"},
        reference="${NAME}",
        project_file=".mcp.json",
        own_command=OwnCommand(
            ("claude", "mcp", "add-json", "-s", "user", "{name}", "{json}"),
            ("claude", "mcp", "remove", "-s", "user", "{name}"),
            replaces=False,
        ),
        passes_on=None,
    ),
    Client(
        "cursor",
        "Cursor",
        ("home", ".cursor/mcp.json"),
        "mcpServers",
        "Cursor loads it by itself; Settings, MCP shows the server.",
        reference="${env:NAME}",
        project_file=".cursor/mcp.json",
    ),
    Client(
        "vscode",
        "VS Code",
        ("config", "Code/User/mcp.json"),
        "servers",
        "Start the server with `MCP: List Servers`.",
        fixed_fields={"type": "stdio"},
        prompts_for_key=True,
        reference="${env:NAME}",
        project_file=".vscode/mcp.json",
        passes_on=None,
    ),
    Client(
        "vscode-insiders",
        "VS Code Insiders",
        ("config", "Code - Insiders/User/mcp.json"),
        "servers",
        "Start the server with `MCP: List Servers`.",
        fixed_fields={"type": "stdio"},
        prompts_for_key=True,
        reference="${env:NAME}",
        project_file=".vscode/mcp.json",
        passes_on=None,
    ),
    Client(
        "copilot-cli",
        "Copilot CLI",
        ("home", ".copilot/mcp-config.json"),
        "mcpServers",
        "Start copilot again; /mcp show lists the server.",
        directory_variable=("COPILOT_HOME", "mcp-config.json"),
        fixed_fields={"type": "local", "tools": ["*"]},
    ),
    Client(
        "windsurf",
        "Windsurf",
        ("home", ".codeium/windsurf/mcp_config.json"),
        "mcpServers",
        "Refresh the servers in Windsurf's MCP settings.",
    ),
    Client(
        "antigravity",
        "Antigravity",
        ("home", ".gemini/config/mcp_config.json"),
        "mcpServers",
        "Agent panel, MCP Servers, Manage MCP Servers, Refresh.",
    ),
    Client(
        "zed",
        "Zed",
        ("config", "zed/settings.json"),
        "context_servers",
        "Zed loads it by itself; the Agent Panel's settings show the server.",
        elsewhere={
            "darwin": ("home", ".config/zed/settings.json"),
            "win32": ("config", "Zed/settings.json"),
        },
    ),
    Client(
        "jetbrains",
        "JetBrains AI Assistant",
        None,
        "mcpServers",
        "Settings, Tools, AI Assistant, Model Context Protocol (MCP), Add, As JSON: paste it there.",
    ),
    Client(
        "junie",
        "Junie",
        ("home", ".junie/mcp/mcp.json"),
        "mcpServers",
        "Settings, Tools, Junie, MCP Settings shows the server; in Junie CLI, /mcp.",
    ),
    Client(
        "gemini",
        "Gemini CLI",
        ("home", ".gemini/settings.json"),
        "mcpServers",
        "Start Gemini CLI again in a folder that it trusts; /mcp shows the server.",
        directory_variable=("GEMINI_CLI_HOME", ".gemini/settings.json"),
        reference="$NAME",
        project_file=".gemini/settings.json",
        own_command=OwnCommand(
            ("gemini", "mcp", "add", "-s", "user", "{env}", "{name}", "{command}", "{args}"),
            ("gemini", "mcp", "remove", "-s", "user", "{name}"),
            env_option="-e",
        ),
        passes_on=FEW | {*PROXIES, *DIRECTORIES, *DESKTOP},
    ),
    Client(
        "codex",
        "Codex",
        ("home", ".codex/config.toml"),
        "mcp_servers",
        "Start Codex again; /mcp shows the server.",
        directory_variable=("CODEX_HOME", "config.toml"),
        format="toml",
        forward_field="env_vars",
        project_file=".codex/config.toml",
        own_command=OwnCommand(
            ("codex", "mcp", "add", "{name}", "{env}", "--", "{command}", "{args}"),
            ("codex", "mcp", "remove", "{name}"),
            env_option="--env",
        ),
    ),
    Client(
        "opencode",
        "opencode",
        ("home", ".config/opencode/opencode.json"),
        "mcp",
        "Start opencode again; opencode mcp list shows the server.",
        elsewhere={"linux": ("config", "opencode/opencode.json")},
        fixed_fields={"type": "local", "enabled": True},
        command_is_list=True,
        env_field="environment",
        reference="{env:NAME}",
        project_file="opencode.json",
        passes_on=None,
    ),
    Client(
        "kiro",
        "Kiro",
        ("home", ".kiro/settings/mcp.json"),
        "mcpServers",
        "Kiro loads it by itself; the MCP servers in its panel show it.",
        reference="${NAME}",
        project_file=".kiro/settings/mcp.json",
    ),
    Client(
        "lmstudio",
        "LM Studio",
        ("home", ".lmstudio/mcp.json"),
        "mcpServers",
        "LM Studio loads it by itself; Program, Integrations shows the server.",
    ),
    Client(
        "goose",
        "Goose",
        None,
        "extensions",
        "Add this to ~/.config/goose/config.yaml (on Windows: %APPDATA%\\Block\\goose\\config\\config.yaml), "
        "or type the same into `goose configure`, Add Extension.",
        format="yaml",
        fixed_fields={"type": "stdio", "name": "Telnyx account", "enabled": True, "timeout": 300},
        command_field="cmd",
        env_field="envs",
        forward_field="env_keys",
    ),
    Client(
        "cline",
        "Cline",
        ("home", ".cline/data/settings/cline_mcp_settings.json"),
        "mcpServers",
        "Cline loads it by itself; MCP Servers, Configure shows the server.",
        directory_variable=("CLINE_MCP_SETTINGS_PATH", ""),
    ),
    Client("any", "Any other client", None, "mcpServers", _PASTE),
)

CLIENTS: Mapping[str, Client] = {each.name: each for each in _ALL}
FILE_CLIENTS: Mapping[str, Client] = {each.name: each for each in _ALL if each.place}
"""Those whose own file holds the entry."""
