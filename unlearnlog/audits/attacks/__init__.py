"""Attacks: searches for prompts or vectors that bring an erased concept back."""
