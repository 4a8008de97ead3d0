"""Synthetic H&E-like slides: what ``slidekit demo`` draws and extracts."""
