"""Models that this project never saw: opened, asked what they take, and made to take images in [0, 1]."""
