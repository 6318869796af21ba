"""The interface to diffusers: load, encode, predict noise, sample, write."""
