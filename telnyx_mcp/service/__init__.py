"""`telnyx-account-mcp service`: the server for a team, several replicas on one PostgreSQL."""
