"""Read by setup.cfg without importing TensorFlow."""

__version__ = "1.0.0"
