"""Training and scoring of a person detector, on pictures that others hand in."""
