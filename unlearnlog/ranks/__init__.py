"""Several processes that compute one command, started by accelerate or torchrun."""
