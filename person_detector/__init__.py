"""The person detector: Detectron2's Faster R-CNN on keyframes. Knows boxes of people and no actions.

Importing this package imports neither torch nor Detectron2; the names below do, when they are first used.
"""
