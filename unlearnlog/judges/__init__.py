"""Judges of pictures: one file a judge."""
