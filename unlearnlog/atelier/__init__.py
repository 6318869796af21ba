"""The bundled world and model: a renderer, its captions, a judge and weights."""
