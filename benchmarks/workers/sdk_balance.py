"""Asks for the balance with the official SDK, once for every line on stdin.

Says `ready` first; then whether each call was `answered` or `failed`. The SDK tries again by
itself, as it does by default; its key and address are in the environment.
"""

from __future__ import annotations

import sys

from telnyx import Telnyx, TelnyxError


def main() -> None:
    client = Telnyx()
    print("ready", flush=True)
    for _ in sys.stdin:
        try:
            answered = client.balance.retrieve().data is not None
        except TelnyxError:
            answered = False
        print("answered" if answered else "failed", flush=True)


if __name__ == "__main__":
    main()
