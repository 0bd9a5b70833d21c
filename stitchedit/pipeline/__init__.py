"""The jobs from clip to clip, stage by stage."""
