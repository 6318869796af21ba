"""What a history of erasures comes to, as values: what every report is drawn from."""
