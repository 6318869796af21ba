"""Renderings of what happened: terminal tables, JSON rows, pictures."""
