"""Our networks, training step and attack beside PyTorch's, on weights that NumPy draws for both."""
