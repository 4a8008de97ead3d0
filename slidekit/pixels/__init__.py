"""Pixels from slide files: readers, µm/px, and the resampling of levels to tiles."""
