"""Layers that give the results of diffusers' layers sooner on a CPU."""
