"""Audits of erasures: fine-tunes, attacks, and models made from a state."""
