"""The database behind the ledger, and how a database is named."""
