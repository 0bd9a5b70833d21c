"""Measuring an edited clip against its source."""
