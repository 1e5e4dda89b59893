"""What docs/sandbox.md shows of the control routes works as shown."""

from __future__ import annotations

import argparse
import json
import re
import shlex

import httpx
import pytest

from scripts.generate.docs import ROOT
from telnyx_mcp.sandbox import Sandbox

SHOWN = re.findall(r"^curl .*$", (ROOT / "docs" / "sandbox.md").read_text("utf-8"), re.MULTILINE)
CURL = argparse.ArgumentParser()
CURL.add_argument("-d")
CURL.add_argument("-H")
CURL.add_argument("url")


@pytest.mark.parametrize("command", SHOWN)
def test_a_control_route_does_what_the_page_shows(command: str, sandbox: Sandbox) -> None:
    given = CURL.parse_args(shlex.split(command)[1:])
    url = given.url.replace("http://127.0.0.1:8765/_sandbox", sandbox.control_url)
    assert url.startswith(sandbox.control_url)
    headers = dict([given.H.split(": ")]) if given.H else {}
    response = httpx.request("POST" if given.d else "GET", url, content=given.d, headers=headers)
    assert response.status_code in {200, 201}, response.text
    assert "data" in json.loads(response.text)


def test_every_control_route_is_shown() -> None:
    source = (ROOT / "telnyx_mcp" / "sandbox" / "control_routes.py").read_text("utf-8")
    routes = set(re.findall(r'"(/[a-z]+)": \("(?:GET|POST)"', source))
    assert routes == {f"/{command.rpartition('/')[2]}" for command in SHOWN}
