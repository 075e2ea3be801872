"""Data: annotations and clips for training, procedural scenes, and the checker of faults."""
