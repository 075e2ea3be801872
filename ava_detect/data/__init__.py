"""Data sets: annotations, clips out of videos and frames, what the network sees of them; procedural scenes."""
