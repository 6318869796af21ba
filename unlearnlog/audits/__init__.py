"""What becomes of an erased model downstream: fine-tunes, what returns, and when."""
