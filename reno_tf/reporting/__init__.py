"""What draws and formats: a run's report, and the page of all runs."""

from reno_tf.reporting.run_report import Examples, Material, Training, device_card, headline, model_card, write
