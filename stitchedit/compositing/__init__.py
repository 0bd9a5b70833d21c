"""Putting an edited crop back into its frame."""
