"""Draws and formats: a run's report, and the page of all runs."""

from reno_tf.reporting import junit, sarif
from reno_tf.reporting.gates import Gates, Outcome, findings_of, worst_case_of
from reno_tf.reporting.run_report import (
    Examples,
    Material,
    TrainingRecord,
    device_card,
    headline,
    model_card,
    write_report_files,
)
