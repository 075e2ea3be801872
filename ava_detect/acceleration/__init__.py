"""What makes any network faster at inference: folded norms, OpenVINO. It knows no network of ours.

The action model (``ava_detect.engine.inference``) and the person detector use the same two files.
"""
