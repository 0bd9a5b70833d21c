"""Files of every kind: written whole or not at all, locked, hashed, bounded."""
