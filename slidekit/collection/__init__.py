"""The slides of a dataset: where they lie, what belongs to them, and which of them are wanted."""
