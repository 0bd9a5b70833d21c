"""Pictures as arrays: resampling, flow, distances, smoothing. Opens no file."""
