"""A server that does nothing but read and answer lines: what no server in Python can go below."""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": {"tools": []}}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
