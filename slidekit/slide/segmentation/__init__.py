"""Segmentation of whole slides: what a network is told, and what its scores become."""
