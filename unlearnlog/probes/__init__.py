"""Probes, one file a question, with their statistics."""
