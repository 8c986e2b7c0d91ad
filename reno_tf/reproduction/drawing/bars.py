"""Bars and strips of the results page, from values to pixels; templates/bars_and_strips.j2 draws them."""

from reno_tf.reporting.charts import axis
from reno_tf.reporting.seeds import summarise
from reno_tf.reproduction import lines
from reno_tf.reproduction.result_types import Outcome
from reno_tf.results import METRICS


def bar_chart(outcome: Outcome, data: str, metric: str) -> dict | None:
    """A bar (the mean) and the values of the seeds for each row of an outcome; None if no row has a value."""
    bars = []
    for row in outcome.rows:
        values = [value for value in lines.per_seed(row, metric, data).values() if value is not None]
        names = {"name": lines.full_label(row), "label": row.label, "group": row.group}
        summary = summarise(values)
        bars.append(names | {"seeds": values, "mean": summary and summary.mean})
    every = [value for bar in bars for value in bar["seeds"]]
    ends = (0, 100 if METRICS[metric].unit == "%" else 0)
    return {"bars": bars, "y": axis([*ends, *every], 206, 16)} if every else None
