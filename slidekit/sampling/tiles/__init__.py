"""Tiles of slides as the loaders give those of TFRecords: the cells of a grid, read when their turn comes."""
