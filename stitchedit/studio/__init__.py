"""A page to see and steer edits by, on this machine alone: a client of the library and the queue (extra `studio`)."""
