"""The service for a team on this machine, for trying it: `make service-demo`.

Starts a sandbox account, PostgreSQL, an identity provider with made-up people, two replicas and HAProxy. Lets
Alice's assistant propose a payment and Bob approve it on the page, prints the addresses and a token, and
serves until Ctrl-C. Needs PostgreSQL, HAProxy and Node.js here, and `make interop` once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from telnyx_mcp.sandbox import running_sandbox
from tests.service.identity_provider import (
    ASSISTANT,
    PAGES,
    IdentityProvider,
    provider_missing,
    running_provider,
)
from tests.support.postgresql_cluster import running_cluster
from tests.support.service_processes import Fleet, fleet

CALLBACK = "http://127.0.0.1:1/callback"
"""Where nothing listens: the code is read from the address."""
SCOPE = "openid telnyx:read telnyx:propose"
PAY = "telnyx_create_stored_payment_transaction"
AMOUNT = "120.00"
SERVICE_TOML = """\
public_url = "{public_url}"
drain_seconds = {drain}

[issuer]
url = "{issuer}"

[sign_in]
client_id = "pages"

[roles.readers]
groups = ["readers", "finance", "approvers"]

[roles.finance]
groups = ["finance"]
propose = true

[roles.approvers]
groups = ["approvers"]
approve_up_to = "500.00"
"""


async def access_token(issuer: str, resource: str, person: str) -> str:
    """An access token for this person's assistant: the authorization code flow, with PKCE."""
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    asked = {
        "client_id": ASSISTANT,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": SCOPE,
        "resource": resource,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
        "login_hint": person,
    }
    async with httpx2.AsyncClient(timeout=30) as http:
        metadata = (await http.get(f"{issuer}/.well-known/openid-configuration")).json()
        answer = await http.get(metadata["authorization_endpoint"], params=asked)
        while not (to := answer.headers["location"]).startswith(CALLBACK):
            answer = await http.get(answer.url.join(to))
        form = {
            "grant_type": "authorization_code",
            "client_id": ASSISTANT,
            "code": parse_qs(urlsplit(to).query)["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
            "resource": resource,
        }
        answer = await http.post(metadata["token_endpoint"], data=form)
        return str(answer.json()["access_token"])


async def proposed(endpoint: str, token: str) -> CallToolResult:
    """What Alice's assistant is answered, once somebody decided or 20 s are over."""
    http = httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60)
    async with http, Client(streamable_http_client(endpoint, http_client=http)) as client:
        return await client.call_tool(PAY, {"amount": AMOUNT})


async def approved(public_url: str, provider: IdentityProvider, person: str) -> str:
    """This person signs in on the pages and approves the change that waits. The heading they see then."""
    async with httpx2.AsyncClient(follow_redirects=True, timeout=60) as http:
        provider.sign_in(person)
        while not (link := re.search(r"/changes/[0-9a-f]+", await _page(http, public_url))):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        page = await http.get(f"{public_url}{link[0]}")
        form = re.search(r'name="token" value="([0-9a-f]+)"', page.text)
        decision = {"token": form[1] if form else "", "decision": "approve", "amount": AMOUNT}
        page = await http.post(str(page.url), data=decision, headers={"origin": public_url})
        provider.sign_in(None)
        heading = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
        return " ".join(heading[1].split()) if heading else page.text


async def _page(http: httpx2.AsyncClient, public_url: str) -> str:
    return (await http.get(f"{public_url}/changes")).text


async def walk_through(running: Fleet, provider: IdentityProvider) -> str:
    """A payment from proposal to outcome. Returns a token of Alice's."""
    token = await access_token(provider.url, running.endpoint, "alice")
    print(f"Alice's assistant proposes a payment of {AMOUNT}.")
    call = asyncio.create_task(proposed(running.endpoint, token))
    print(
        f"Bob signs in and approves it. His page says: {await approved(running.public_url, provider, 'bob')}"
    )
    result = (await call).structured_content or {}
    print(
        f"Alice's assistant is answered: {result.get('state')}, decided by {result.get('decided_by')}\n"
    )
    return token


async def demo(*, serve: bool = True) -> None:
    """Runs everything; with `serve`, until it is cancelled."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="service-demo-")))
        print(
            "Starting a sandbox account, PostgreSQL, an identity provider, two replicas, HAProxy …"
        )
        cluster = stack.enter_context(running_cluster())
        provider = stack.enter_context(running_provider())
        sandbox = stack.enter_context(running_sandbox())
        secret = {"TELNYX_MCP_SIGN_IN_SECRET": PAGES[1]}
        running = await stack.enter_async_context(
            fleet(
                sandbox,
                cluster.url(cluster.new_database()),
                provider.url,
                folder,
                toml=SERVICE_TOML,
                environments=[secret, secret],
            )
        )
        token = await walk_through(running, provider)
        print(f"MCP       {running.endpoint}\nchanges   {running.public_url}/changes")
        print(
            f"people    alice (finance, approvers), bob (approvers), carol (readers), at {provider.url}"
        )
        for each in running.replicas:
            print(
                f"replica   {each.url}/readyz, http://127.0.0.1:{each.metrics_port}/metrics, {each.log}"
            )
        print(f"\nA token of Alice's, for ten minutes:\n{token}")
        if serve:
            print("\nCtrl-C ends all of it.")
            await asyncio.Event().wait()


def main() -> int:
    if missing := provider_missing():
        print(f"service-demo: {missing}", file=sys.stderr)
        return 1
    try:
        asyncio.run(demo(serve="--once" not in sys.argv))
    except KeyboardInterrupt:
        print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
