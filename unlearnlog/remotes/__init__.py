"""Copies of a ledger elsewhere: their addresses, their stores, and what travels."""
