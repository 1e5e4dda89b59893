"""A copy of the server that took one turn in the shared pace, named by its argument, and idles.

Says `ready`, and stays until stdin ends.
"""

from __future__ import annotations

import asyncio
import os
import sys

from telnyx_mcp.telnyx.rate_limit.pacer import Pacer
from telnyx_mcp.telnyx.rate_limit.stores import pace_store


async def main() -> None:
    place = pace_store(sys.argv[1], os.environ["TELNYX_API_KEY"], os.environ["TELNYX_BASE_URL"])
    pacer = Pacer(place)
    await pacer.turn("/balance")
    if not pacer.place:
        raise SystemExit(1)
    print("ready", flush=True)
    sys.stdin.read()
    pacer.close()


if __name__ == "__main__":
    asyncio.run(main())
