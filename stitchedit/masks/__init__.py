"""Which part of a crop is edited, and how much each pixel counts."""
