"""What a segmentation network is trained to make small; `slidekit.segment.losses.keras` computes it."""
