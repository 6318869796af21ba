"""The local page of `Ledger.serve`: what it shows, how it is laid out, who may open it.

Only `page_layout` and `page_server` need the extra ``ui``.
"""
