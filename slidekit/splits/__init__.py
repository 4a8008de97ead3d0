"""Splits for training and validation, by patients: no patient is ever on both sides."""
