"""Everything that draws or formats: a run's report, the results page, the paper's tables and figures."""

from reno_tf.reporting.artefact_files import write_artefact, write_claims
from reno_tf.reporting.run_report import Examples, device_card, headline, model_card, write
