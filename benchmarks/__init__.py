"""Long measurements, resumable cell by cell; results are JSON under docs/results."""
