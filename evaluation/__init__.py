"""AVA frame-mAP and the other metrics of the project; needs numpy and pandas only, and nothing of ours."""
