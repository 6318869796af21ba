"""Probes, one file a measure, with their statistics."""
