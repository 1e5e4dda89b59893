"""The ledger's database, and what it shares with the pace: the URL, connections and their bounds."""
