"""The seam to diffusers: load, encode, predict noise, sample, write out."""
