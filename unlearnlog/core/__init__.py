"""Values without I/O, and small tools for all rooms."""
