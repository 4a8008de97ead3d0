"""Copies of slides on a fast disk, made ahead."""
