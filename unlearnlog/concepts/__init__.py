"""What there is to erase and to keep, and the prompts that name it."""
