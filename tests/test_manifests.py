"""server.json, the Dockerfile and the versions in them, held to the code."""

from __future__ import annotations

import json
import re
import shlex
import struct
import tomllib
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scripts.generate import icon, manifests
from telnyx_mcp import __version__
from telnyx_mcp.config.profiles import checked
from telnyx_mcp.config.settings import VARIABLES, Settings

ROOT = Path(__file__).parent.parent


@pytest.fixture
def server() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "server.json").read_text("utf-8"))
    return found


def test_server_json_is_up_to_date() -> None:
    assert manifests.server_json() == (ROOT / "server.json").read_text("utf-8"), "run `make docs`"


def test_it_is_as_the_registry_wants_it(server: dict[str, Any]) -> None:
    """The rules of the registry's schema of 2025-12-11, and of its checks for PyPI packages."""
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", server["name"])
    assert len(server["name"]) <= 200
    assert 1 <= len(server["description"]) <= 100
    assert 1 <= len(server["title"]) <= 100
    assert server["version"] == __version__
    (package,) = server["packages"]
    assert (package["registryType"], package["identifier"]) == ("pypi", "telnyx-account-mcp")
    assert package["version"] == __version__
    assert "registryBaseUrl" not in package
    assert package["transport"] == {"type": "stdio"}
    strings = [each.get("default", "") for each in package["environmentVariables"]]
    assert all(isinstance(each, str) for each in strings)


def test_everything_names_the_same_repository(server: dict[str, Any]) -> None:
    assert server["repository"] == {"url": manifests.HOMEPAGE, "source": "github"}
    assert manifests.project()["urls"]["Homepage"] == manifests.HOMEPAGE
    assert all(each.startswith(manifests.HOMEPAGE) for each in manifests.project()["urls"].values())


def test_the_readme_claims_the_name_as_the_registry_checks_it(server: dict[str, Any]) -> None:
    assert f"<!-- mcp-name: {server['name']} -->" in (ROOT / "README.md").read_text("utf-8")


def test_every_setting_is_named_and_secrets_are_marked(server: dict[str, Any]) -> None:
    variables = server["packages"][0]["environmentVariables"]
    assert [each["name"] for each in variables] == list(VARIABLES)
    secret = {each["name"] for each in variables if each.get("isSecret")}
    assert secret == {"TELNYX_API_KEY", "TELNYX_MCP_STATE_URL", "TELNYX_MCP_HTTP_TOKEN"}
    assert [each["name"] for each in variables if each.get("isRequired")] == ["TELNYX_API_KEY"]


def test_the_bundle_asks_for_numbers_within_bounds_and_starts_with_the_defaults() -> None:
    """Claude Desktop puts the number as it is into the variable."""
    numbers = {name: each for name, each in manifests.ASKED.items() if each["type"] == "number"}
    assert numbers.keys() == {"max_payment", "max_per_day", "max_per_30_days"}
    for name, each in numbers.items():
        assert 0 == each["min"] < each["default"] < each["max"]
        assert Decimal(each["default"]) == Settings.model_fields[name].default
        checked("", **{name: str(each["max"])})


def test_the_bundle_says_in_plain_words_what_it_asks_for_and_how_changes_are_approved() -> None:
    manifest = manifests.manifest()
    for name, asked in manifest["user_config"].items():
        assert asked["title"] != name
        assert asked["description"].endswith(".")
        assert "TELNYX_" not in asked["description"]
    assert "page in your browser" in manifest["long_description"]
    assert "what you found in the Mission Control Portal" in manifest["long_description"]
    for link in ("homepage", "documentation", "support"):
        assert manifest[link].startswith("https://github.com/telnyx-account-mcp/telnyx-account-mcp")


def test_the_icon_is_the_one_that_is_drawn() -> None:
    drawn = icon.ICON.read_bytes()
    assert manifests.manifest()["icon"] == icon.ICON.name
    assert drawn.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", drawn[16:24])
    assert (width, height) == (icon.SIZE, icon.SIZE)


@pytest.mark.slow
def test_the_icon_is_drawn_again_as_it_is() -> None:
    drawn = icon.ICON.read_bytes()
    (length,) = struct.unpack(">I", drawn[33:37])  # of the data, after the signature and the header
    assert drawn[37:41] == b"IDAT"
    assert zlib.decompress(drawn[41 : 41 + length]) == icon.rows(), (
        "python -m scripts.generate.icon"
    )


def test_the_bundle_asks_for_the_tested_versions() -> None:
    made = tomllib.loads(manifests.bundled_project())
    pinned = {each.partition("==")[0] for each in made["project"]["dependencies"]}
    wanted = {re.split(r"[<>=\[]", each)[0] for each in manifests.project()["dependencies"]}
    assert wanted <= pinned


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-service.txt"])
def test_what_the_server_needs_is_locked_as_everything_else(name: str) -> None:
    """The same versions with the same hashes; run `make lock`."""
    whole, part = ((ROOT / each).read_text("utf-8") for each in ("constraints.txt", name))
    for pattern in (r"^[a-z0-9._-]+==\S+", r"sha256:[0-9a-f]{64}"):
        found = set(re.findall(pattern, part, re.MULTILINE))
        assert found
        assert found <= set(re.findall(pattern, whole, re.MULTILINE))
    assert "://" not in part


# --- the image -----------------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (name, rest.strip())
        for name, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())
    ]


def test_each_instruction_of_the_image_is_one() -> None:
    known = {
        "FROM",
        "RUN",
        "COPY",
        "WORKDIR",
        "ENV",
        "USER",
        "VOLUME",
        "LABEL",
        "ENTRYPOINT",
        "CMD",
        "ARG",
    }
    assert {name for name, _ in instructions()} <= known
    assert instructions()[0][0] in {"FROM", "ARG"}


def test_what_is_copied_into_the_image_is_there_and_not_left_out() -> None:
    left_out = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert left_out[0] == "*"
    let_in = {each.removeprefix("!") for each in left_out if each.startswith("!")}
    for name, rest in instructions():
        if name == "COPY" and "--from=" not in rest:
            *sources, _ = [each for each in shlex.split(rest) if not each.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source.rstrip("/") in let_in, source


def test_the_image_runs_as_a_user_and_starts_the_server_by_its_name() -> None:
    last = dict(instructions())
    assert last["USER"] not in {"root", "0", "0:0"}
    assert json.loads(last["ENTRYPOINT"]) == ["telnyx-account-mcp"]
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")


def test_nothing_is_installed_or_built_for_the_image_but_by_its_hash() -> None:
    """A source tree would be built with whatever pip finds for it, outside of what is locked."""
    commands = [
        shlex.split(command)
        for name, rest in instructions()
        if name == "RUN"
        for command in rest.split("&&")
    ]
    installing = [each for each in commands if "install" in each]
    assert installing
    for each in installing:
        if "--require-hashes" in each:
            assert each[-2] == "-r"
            assert each[-1] in {"constraints.txt", "requirements-service.txt"}
        else:
            assert "--no-deps" in each
            assert each[-1].endswith(".whl")


def test_the_image_is_named_as_the_registry_knows_it_and_holds_no_key() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert not re.search(r"(ARG|ENV)\s+TELNYX_API_KEY", text)
    name = json.loads((ROOT / "server.json").read_text("utf-8"))["name"]
    assert f'io.modelcontextprotocol.server.name="{name}"' in text
