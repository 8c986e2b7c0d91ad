"""Our networks and PyTorch's, with the same random weights; tests/parity compares their numbers."""
