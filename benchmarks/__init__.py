"""Long measurements, resumable cell by cell, with results as JSON beside them."""
