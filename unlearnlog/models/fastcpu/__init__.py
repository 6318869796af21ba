"""Faster CPU layers with the results of diffusers' layers."""
