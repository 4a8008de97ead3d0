"""What is done with TFRecords that exist: indexes, merging, splitting, changing their images, loose tiles."""
