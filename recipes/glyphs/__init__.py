"""How the second bundled model was trained: real drawings by six studios."""
