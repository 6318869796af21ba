"""What became of erasures in other hands: fine-tunes, attacks, copies of the model."""
