"""What an output says of how it was made."""
