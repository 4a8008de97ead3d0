"""Whether everything that was extracted is there, and whole."""
