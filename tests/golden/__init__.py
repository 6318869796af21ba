"""What commands said, wrote and computed once, and must go on saying."""
