"""What makes any network faster at inference: folded norms, oneDNN, OpenVINO. It knows no network of ours.

The action model (``ava_detect.engine.inference``) and the person detector both use it.
"""
