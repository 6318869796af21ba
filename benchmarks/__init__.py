"""Long measurements, resumable cell by cell; results are JSON beside them."""
