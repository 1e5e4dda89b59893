"""The server of `bare.py` over HTTP, without sessions and without tokens."""

from __future__ import annotations

import sys

from benchmarks.servers.bare import server

if __name__ == "__main__":
    server.run("streamable-http", port=int(sys.argv[1]), stateless_http=True, json_response=False)
