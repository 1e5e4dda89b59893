"""Tries a key once: one request for the balance."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from telnyx_mcp.cli.errors import not_done
from telnyx_mcp.cli.installing.key import FoundKey, Place
from telnyx_mcp.cli.installing.options import InstallOptions
from telnyx_mcp.config.profiles import checked
from telnyx_mcp.config.settings import VARIABLES

SECONDS = 10.0
_WHY_NOT: Mapping[Place, str] = {
    "ask": "{title} asks for it when it starts the server",
    "env": "it is not set here",
    "profile": "it is not set here",
}


def try_key(
    found: FoundKey, place: Place, options: InstallOptions, address: str, env: Mapping[str, str]
) -> str:
    """What came of it, as a sentence. Raises `CommandError` if Telnyx refused the key."""
    if options.offline:
        return "The key was not tried (--offline)."
    if found.key is None:
        why = _WHY_NOT.get(place, "it is not known here").format(title=options.chosen.title)
        return f"The key was not tried: {why}."
    return _ask(found.key, address, env)


def _ask(key: SecretStr, address: str, env: Mapping[str, str]) -> str:
    import anyio

    from telnyx_mcp.server.build import transport_of
    from telnyx_mcp.telnyx.client import TelnyxClient
    from telnyx_mcp.telnyx.errors import Failure, TelnyxError

    own = {VARIABLES[name]: value for name, value in env.items() if name in VARIABLES}
    account = {**own, "api_key": key, "key_from": "auto", "base_url": address}
    settings = checked("", **account)

    async def balance() -> str:
        client = TelnyxClient(transport_of(settings))
        try:
            found = await client.within(SECONDS).get_balance()
        finally:
            await client.aclose()
        return f"The key works: the balance is {found.balance} {found.currency or ''}".rstrip()

    try:
        return f"{anyio.run(balance)}."
    except TelnyxError as error:
        if error.failure is Failure.UNAUTHORIZED:
            raise not_done(
                "Nothing was written: Telnyx does not accept this key. Copy it again from the Mission "
                "Control Portal (API Keys), or add --offline to write it without trying it"
            ) from None
        return f"Whether the key works is not known. {error.summary}"
