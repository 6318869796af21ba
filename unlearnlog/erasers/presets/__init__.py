"""Named settings of erasers: those of the authors' own programs."""
