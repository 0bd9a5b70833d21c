"""Edit faces in real video with a generator tuned on the clip's own frames."""
