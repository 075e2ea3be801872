"""Training and scoring of a person detector, on pictures that others hand in.

Importing it imports Detectron2 without its noise, in loading processes too, or says how to install it.
"""

from person_detector.detectron2_import import require_detectron2

require_detectron2()
