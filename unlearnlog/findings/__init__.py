"""The findings of a history as values, from which every report is drawn."""
