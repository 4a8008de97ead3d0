"""The networks that segment tissue; `slidekit.segment.network.keras` builds them."""
