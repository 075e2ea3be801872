"""Training of the action model: schedule, loss, optimiser, checkpoints, the loop, the run folder."""
