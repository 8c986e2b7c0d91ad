"""One training step for all methods, and the phases, optimizers and averages around it."""
