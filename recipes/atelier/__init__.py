"""The recipe of the bundled model: each part trained from nothing, resumably."""
