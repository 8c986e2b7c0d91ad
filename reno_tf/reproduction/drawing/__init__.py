"""What draws the reproduction: its tables and figures as files, its sections of the results page."""

from reno_tf.reproduction.drawing.artefact_files import write_artefact, write_claims
from reno_tf.reproduction.drawing.page_sections import additions
