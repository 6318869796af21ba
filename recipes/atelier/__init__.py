"""How the bundled model was made: each part retrained from nothing, resumably."""
