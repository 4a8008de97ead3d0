"""From TFRecords to batches: which tiles, in which order, decoded and made ready for a network."""
