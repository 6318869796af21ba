"""The ledger on disk: the one package that writes its files."""
