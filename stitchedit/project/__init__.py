"""The project folder that `invert` leaves for `edit`."""
