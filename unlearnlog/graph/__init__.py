"""What there is to forget, what is near what, and how prompts speak of it."""
