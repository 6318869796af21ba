"""Kinds of adapters: one file for each method, and a table of them."""
