"""The ledger on disk: its files, their checks and their writes."""
