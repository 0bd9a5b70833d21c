"""A whole film: its shots, its people, one generator a person, and the tasks that processes or machines share."""
