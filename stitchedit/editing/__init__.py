"""Directions, moved codes, and the stitching that makes an edited crop meet its source."""
