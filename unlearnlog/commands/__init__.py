"""The commands: requests in, one write to the ledger at the end."""
