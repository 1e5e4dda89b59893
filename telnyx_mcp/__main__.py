"""`python -m telnyx_mcp` is the command `telnyx-account-mcp`."""

from telnyx_mcp.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
