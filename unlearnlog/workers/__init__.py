"""Workers: who computes the independent units of a command; one file a part."""
