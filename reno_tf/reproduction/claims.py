"""What the paper claims, and the rules by which runs decide it, fixed before those runs were made."""

import dataclasses
from collections.abc import Callable

import numpy as np

from reno_tf.reporting.metrics import ASR, CLEAN, FEATURES, NOISE, WEIGHTS
from reno_tf.reproduction import artefacts
from reno_tf.reproduction.lines import rank_correlation
from reno_tf.results import METRICS

SEEDS_NEEDED = 5
_METHODS = artefacts.LABELS | {"finetune": "fine-tuning", "retraining": "re-training"}
_METHODS |= {"delta_r+dropout": "DELTA-R + dropout", "delta_r+swa": "DELTA-R + SWA"}
_METHODS |= {f"{run}{artefacts.MATCHED}": name for run, name in _METHODS.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A statistic of one seed's runs, and the side of a threshold on which the paper says it lies.

    needs: (run, metric) pairs; run: method and variant, as the names of its runs begin. compute: takes for each
    of them its values on D data sets, float [D], D = 1 for one data set alone; gives the statistic, or nan where it
    is not defined. side: ">" or "<". unit: "points" (percentage points) or "". bounds: of the statistic; an
    interval ends there.
    """

    statistic: str
    needs: tuple[tuple[str, str], ...]
    compute: Callable[..., float]
    side: str
    threshold: float
    unit: str = ""
    bounds: tuple[float, float] = (-np.inf, np.inf)


def _points(first, second) -> float:
    return 100 * float(np.mean(first - second))


def _gap(metric, first, second, side, threshold) -> Part:
    """mean over data sets of metric(first) - metric(second); in points where the metric is a fraction."""
    statistic = f"{METRICS[metric].name} of {_METHODS[first]} − {_METHODS[second]}"
    needs, rule = ((first, metric), (second, metric)), {"side": side, "threshold": threshold}
    if METRICS[metric].unit == "%":
        return Part(statistic=statistic, needs=needs, compute=_points, unit="points", **rule)
    return Part(statistic=statistic, needs=needs, compute=lambda first, second: float(np.mean(first - second)), **rule)


_BEYOND_NOISE = Part(
    statistic="ASR of fine-tuning − its error rate under uniform noise of the same size",
    needs=(("finetune", ASR), ("finetune", NOISE)),
    compute=_points,
    side=">",
    threshold=20,
    unit="points",
)


def _share(delta, delta_r, renofeation) -> float:
    whole = np.mean(delta) - np.mean(renofeation)
    return float((np.mean(delta) - np.mean(delta_r)) / whole) if whole > 0 else np.nan


_SHARE_OF_START = Part(
    statistic="(ASR of DELTA − DELTA-R) / (ASR of DELTA − Renofeation), of means over the data sets",
    needs=(("delta", ASR), ("delta_r", ASR), ("renofeation", ASR)),
    compute=_share,
    side=">",
    threshold=0.5,
)
_WIDENING = Part(
    statistic="clean accuracy of DELTA − Renofeation with 33 % of the training data, less the same with all",
    needs=tuple((run, CLEAN) for run in ("delta@0.33", "renofeation@0.33", "delta", "renofeation")),
    compute=lambda delta_less, renofeation_less, *whole: _points(delta_less, renofeation_less) - _points(*whole),
    side=">",
    threshold=0,
    unit="points",
)


def _rank_correlation(distance) -> Part:
    return Part(
        statistic=f"Spearman's rho of ASR and {METRICS[distance].name} over Table 2's methods × data sets",
        needs=tuple((method, metric) for metric in (ASR, distance) for method in artefacts.BASELINES),
        compute=lambda *columns: rank_correlation(*np.reshape(columns, (2, -1))),
        side="<",
        threshold=0,
        bounds=(-1.0, 1.0),
    )


# What the paper says -> the parts; it is held if all of them are, not held if any is not.
CLAIMS: dict[str, tuple[Part, ...]] = {
    "An attack on the teacher's penultimate features also breaks end-to-end fine-tuning.": (
        _BEYOND_NOISE,
        _gap(ASR, "finetune", "retraining", ">", 20),
    ),
    "Re-training from random weights is robust to it, and less accurate.": (
        _gap(ASR, "delta", "retraining", ">", 20),
        _gap(CLEAN, "delta", "retraining", ">", 0),
    ),
    "Renofeation comes near DELTA in accuracy and near re-training in robustness.": (
        _gap(CLEAN, "renofeation", "delta", ">", -3),
        _gap(ASR, "renofeation", "retraining", "<", 5),
    ),
    "Random initialisation is what removes most of the vulnerability.": (_SHARE_OF_START,),
    "Dropout and weight averaging each raise the feature loss and lower the attack's success.": tuple(
        _gap(metric, run, "delta_r", side, 0)
        for run in ("delta_r+dropout", "delta_r+swa")
        for metric, side in ((FEATURES, ">"), (ASR, "<"))
    ),
    "With less training data, Renofeation falls further behind DELTA in accuracy.": (_WIDENING,),
    "The further a model is from its teacher, the less the attack succeeds (Figure 1).": (
        _rank_correlation(FEATURES),
        _rank_correlation(WEIGHTS),
    ),
}


def _matched(part: Part) -> Part:
    """The same of runs that train until features are matched; DELTA starts where they are."""
    needs = tuple((run if run == "delta" else run + artefacts.MATCHED, metric) for run, metric in part.needs)
    return dataclasses.replace(part, needs=needs)


# Those that the regime decides, judged a second time where features are matched.
MATCHED_CLAIMS = {statement: tuple(map(_matched, parts)) for statement, parts in list(CLAIMS.items())[2:5]}
