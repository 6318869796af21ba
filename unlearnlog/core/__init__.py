"""Values and small tools that everything else is written in."""
