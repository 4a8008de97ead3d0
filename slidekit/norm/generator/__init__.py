"""Generators of stain transfer: networks from files, applied to images of any size."""
