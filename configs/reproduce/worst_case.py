"""Every method with the worst case of the attacks beside the paper's: one seed, with what `all.py` had chosen.

    python main.py --mode=reproduce --config=configs/reproduce/worst_case.py --workdir=runs/worst-case

40 runs, about half an hour on two cores with the extra `sweeps`. The hyper-parameters are those of
results/reproduce-embedded/trials, so nothing is tried anew.
"""

from configs.reproduce import scales

_SHARED = {"learning_rate": 0.01, "momentum": 0.9}
# (lambda, weight decay) of the starts from the teacher's weights.
_CHOSEN = {
    "digits": (0.05, 0.0),
    "greek": (0.05, 0.0),
    "armenian": (0.5, 0.0),
    "georgian": (0.05, 1e-4),
    "operators": (0.05, 0.0),
}


def get_config(scale: str = "embedded"):
    config = scales.get_config(("methods",), scale)
    config.reproduce.update(seeds=1, tuned=(), choose_feature_weight=False)
    for data, (feature_weight, weight_decay) in _CHOSEN.items():
        recipe = _SHARED | {"weight_decay": weight_decay, "feature_weight": feature_weight}
        settings = config.reproduce.settings[data]
        settings.recipes = {"teacher": {**settings.get("recipes", {}).get("teacher", {}), **recipe}}
    return config
