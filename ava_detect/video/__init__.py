"""Video files in and out: reader with exact times, clip sampling, transforms of frames and boxes, writer."""
