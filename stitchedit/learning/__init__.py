"""Learning edit directions and measuring what they do."""
