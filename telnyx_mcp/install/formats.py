"""How to change one value of a client's file, by what the file is written in."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from telnyx_mcp.install import jsonc, toml

FORMATS: Mapping[str, ModuleType] = {"json": jsonc, "toml": toml}
