"""Erasers, one file a method."""
