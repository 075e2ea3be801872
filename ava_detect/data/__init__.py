"""Data sets: annotations, clips out of videos and frames, what networks see of them; procedural scenes."""
