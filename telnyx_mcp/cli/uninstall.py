"""`uninstall`: take this server out of an assistant.

Takes this server out of the client's own configuration file again. Shows the change first, asks,
keeps a backup, and touches nothing else.
"""

from __future__ import annotations

import argparse

from telnyx_mcp.cli.install import client_arguments, install_options, uninstall
from telnyx_mcp.cli.terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    client_arguments(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Uninstalls. 0 if the client does not have the server then."""
    return uninstall(install_options(options), terminal)
