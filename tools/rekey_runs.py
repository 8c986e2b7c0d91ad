"""Gives the committed runs the keys that settings have now: python tools/rekey_runs.py

A key is a hash of what makes a run the same run (`reno_tf.settings.Settings.identity`). Those of format 3 hashed all of
config.json. Each run is planned again; where the stored key is the one that format 3 would have given, the new one
takes its place. Any other run is named and left as it is.
"""

import argparse
import json
from pathlib import Path

from configs import reproduce
from reno_tf import files, settings
from reno_tf.commands.reproducing import estimate
from reno_tf.commands.reproducing.planning import Plan
from reno_tf.evaluation.suite import CORE, WHOLE
from reno_tf.reproduction import outcomes

_RESULTS = Path(__file__).parents[1] / "results"
_CONFIGS = {"reproduce-embedded": "all", "reproduce-photos": "methods,photos"}


def key_of_format_3(run_settings: settings.Settings) -> str:
    content = run_settings.as_json() | {"format": 3}
    del content["data"]["max_pixels"]
    for name, default in (("core", CORE), ("suite", WHOLE)):
        content["attack"][name] = content["attack"][name] or [str(reference) for reference in default]
    return files.digest(json.dumps(content, sort_keys=True).encode())[:16]


def rekey(folder: str) -> None:
    path = _RESULTS / folder / "runs.jsonl"
    run_results = outcomes.read_all(path)
    planned = estimate.runs_of(
        Plan(reproduce.get_config(_CONFIGS[folder])), lambda planned: planned.name in run_results, run_results
    )
    new = {one.name: settings.read(one.config, one.method) for one in planned if one.name in run_results}
    rekeyed = {name for name, one in new.items() if run_results[name]["settings"] in (key_of_format_3(one), one.key)}
    for name in rekeyed:
        run_results[name]["settings"] = new[name].key
    outcomes.write_all(path, run_results)
    others = sorted(run_results.keys() - rekeyed)
    print(f"{folder}: {len(rekeyed)} of {len(run_results)} runs have their key", *others[:5])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for name in _CONFIGS:
        rekey(name)
