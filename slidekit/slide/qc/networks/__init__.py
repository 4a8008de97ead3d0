"""Architectures of published QC networks; their weights are the user's."""
