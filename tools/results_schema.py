"""Writes docs/results.schema.json, the JSON schema of results.json: python tools/results_schema.py"""

from pathlib import Path

from reno_tf import files, records
from reno_tf.results import Results

PATH = Path(__file__).parents[1] / "docs" / "results.schema.json"


def schema() -> dict:
    return records.schema(Results, "results.json of a run or an audit")


if __name__ == "__main__":
    files.write_json(PATH, schema())
