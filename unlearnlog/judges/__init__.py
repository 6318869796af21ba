"""Who says what pictures show: one file a judge."""
