"""A real identity provider (oidc-provider) as a process of its own: `provider/server.mjs`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.interop.processes import find_node

FOLDER = Path(__file__).parent / "provider"
SECONDS = 30.0

ASSISTANT = "assistant"
"""A public client with PKCE, whose redirect URI is http://127.0.0.1:ANY/callback."""
PAGES = ("pages", "the-secret-of-pages-in-tests")
"""A web application, whose redirect URI is http://127.0.0.1:ANY/sign-in/callback."""
ROBOT = ("robot", "the-secret-of-robot-in-tests")
"""A program that gets tokens in its own name."""
INTROSPECTOR = ("introspector", "the-secret-of-introspector-in-tests")
"""Who may ask about tokens."""


def provider_missing() -> str | None:
    """Why the provider can't be started here; None if it can."""
    if not (FOLDER / "node_modules" / "oidc-provider").exists():
        return "the identity provider is not installed: make interop"
    if _node() is None:
        return "there is no Node.js"
    return None


def _node() -> str | Path | None:
    return find_node() or shutil.which("node")


@dataclass(frozen=True)
class IdentityProvider:
    """One that runs. People: alice, bob, carol, dave, erin."""

    url: str
    """Its issuer."""

    def change(self, **changes: Any) -> Mapping[str, Any]:
        """Changes what server.mjs lists under `PUT /control`, and returns all of it."""
        answer = httpx2.put(f"{self.url}/control", json=changes, timeout=SECONDS)
        answer.raise_for_status()
        state: Mapping[str, Any] = answer.json()
        return state

    def sign_in(self, person: str | None) -> None:
        """From now on this person is signed in without a form; None shows the form again."""
        self.change(signed_in=person)

    def put_in_groups(self, person: str, *groups: str) -> None:
        """From now on the person is in these groups and in no others."""
        self.change(people={person: {"groups": groups}})

    def robot_token(self, scope: str, resource: str) -> str:
        """An access token of the robot."""
        answer = httpx2.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials", "scope": scope, "resource": resource},
            auth=ROBOT,
            timeout=SECONDS,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@contextmanager
def running_provider(**options: Any) -> Iterator[IdentityProvider]:
    """An identity provider on a free port. The options are those of server.mjs."""
    node = _node()
    assert node, "there is no Node.js"
    with subprocess.Popen(
        [node, FOLDER / "server.mjs", json.dumps(options)],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the identity provider did not start"
            yield IdentityProvider(json.loads(line)["issuer"])
        finally:
            process.kill()
