"""Concepts to erase and to keep, and the prompts that name them."""
