"""Placeholder replaced by the networks."""
