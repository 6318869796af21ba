"""The local page of `Ledger.serve`: its answers, its layout, its guard and its server.

Only `page_layout` and `page_server` need the extra ``ui``.
"""
