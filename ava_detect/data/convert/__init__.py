"""Somebody's own labels to an AVA-style data set: readers of the usual tools, one form for all, the writer.

``read_labels`` tells the format by what is in the file; ``videos`` turns frames and pixels into seconds and
shares of the picture; ``split`` divides by video; ``write`` writes the files.
"""
