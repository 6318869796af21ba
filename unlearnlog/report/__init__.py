"""Renderings of results: terminal tables, HTML, Markdown, JSON, pictures."""
