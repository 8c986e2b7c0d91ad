"""What the paper claims, and the rules by which runs decide it, fixed before those runs were made."""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy import stats

from reno_tf.reproduction.artefacts import ASR, CLEAN, FEATURES

SEEDS_NEEDED = 5
_NOISE, _WEIGHTS = "noise_success_rate", "weight_distance"
_BASELINES = ("linear", "finetune", "l2sp", "delta", "retraining")  # Table 2's rows, Figure 1's points.
_METRICS = {CLEAN: "clean accuracy", ASR: "ASR", FEATURES: "feature distance", _WEIGHTS: "weight distance"}
_METHODS = {
    "finetune": "fine-tuning",
    "delta": "DELTA",
    "retraining": "re-training",
    "renofeation": "Renofeation",
    "delta_r": "DELTA-R",
    "delta_r+dropout": "DELTA-R + dropout",
    "delta_r+swa": "DELTA-R + SWA",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A statistic of one seed's runs, and the side of a threshold on which the paper says it lies.

    needs: (run, metric) pairs; run: method and variant, as the names of its runs begin.
    compute: takes for each of `needs` its values on the data sets, float [D]; gives the statistic,
      or nan where it is not defined. One data set's own statistic is computed with D = 1.
    side: ">" or "<". unit: "points" (percentage points) or "".
    bounds: what the statistic can be at all; an interval ends there.
    """

    statistic: str
    needs: tuple[tuple[str, str], ...]
    compute: Callable[..., float]
    side: str
    threshold: float
    unit: str = ""
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @property
    def rule(self) -> str:
        return f"{self.statistic} {self.side} {self.threshold:g} {self.unit}".rstrip()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """statement: what the paper says; held if all its parts are, not held if any is not."""

    number: int
    statement: str
    parts: tuple[Part, ...]


def _mean_gap(ours, theirs) -> float:
    return float(np.mean(ours - theirs))


def _points(ours, theirs) -> float:
    return 100 * _mean_gap(ours, theirs)


def _gap(metric, ours, theirs, side, threshold) -> Part:
    """mean over data sets of metric(ours) - metric(theirs); in points where the metric is a fraction."""
    return Part(
        statistic=f"{_METRICS[metric]} of {_METHODS[ours]} − {_METHODS[theirs]}",
        needs=((ours, metric), (theirs, metric)),
        compute=_mean_gap if metric == FEATURES else _points,
        side=side,
        threshold=threshold,
        unit="" if metric == FEATURES else "points",
    )


def _beyond_noise() -> Part:
    return Part(
        statistic="ASR of fine-tuning − its error rate under uniform noise of the same size",
        needs=(("finetune", ASR), ("finetune", _NOISE)),
        compute=_points,
        side=">",
        threshold=20,
        unit="points",
    )


def _share_of_start() -> Part:
    def share(delta, delta_r, renofeation) -> float:
        whole = np.mean(delta) - np.mean(renofeation)
        return float((np.mean(delta) - np.mean(delta_r)) / whole) if whole > 0 else np.nan

    return Part(
        statistic="(ASR of DELTA − DELTA-R) / (ASR of DELTA − Renofeation), of means over the data sets",
        needs=(("delta", ASR), ("delta_r", ASR), ("renofeation", ASR)),
        compute=share,
        side=">",
        threshold=0.5,
    )


def _widening() -> Part:
    def widening(delta_less, renofeation_less, delta, renofeation) -> float:
        return _points(delta_less, renofeation_less) - _points(delta, renofeation)

    runs = ("delta@0.33", "renofeation@0.33", "delta", "renofeation")
    return Part(
        statistic="clean accuracy of DELTA − Renofeation with 33 % of the training data, less the same with all",
        needs=tuple((run, CLEAN) for run in runs),
        compute=widening,
        side=">",
        threshold=0,
        unit="points",
    )


def _rank_correlation(distance) -> Part:
    def spearman(*columns) -> float:
        success, distances = np.reshape(columns, (2, -1))
        if np.isnan(columns).any() or np.ptp(success) == 0 or np.ptp(distances) == 0:
            return np.nan
        return float(stats.spearmanr(success, distances).statistic)

    return Part(
        statistic=f"Spearman's rho of ASR and {_METRICS[distance]} over Table 2's methods × data sets",
        needs=tuple((method, metric) for metric in (ASR, distance) for method in _BASELINES),
        compute=spearman,
        side="<",
        threshold=0,
        bounds=(-1.0, 1.0),
    )


CLAIMS = (
    Claim(
        number=1,
        statement="An attack on the teacher's penultimate features also breaks end-to-end fine-tuning.",
        parts=(_beyond_noise(), _gap(ASR, "finetune", "retraining", ">", 20)),
    ),
    Claim(
        number=2,
        statement="Re-training from random weights is robust to it, and less accurate.",
        parts=(_gap(ASR, "delta", "retraining", ">", 20), _gap(CLEAN, "delta", "retraining", ">", 0)),
    ),
    Claim(
        number=3,
        statement="Renofeation comes near DELTA in accuracy and near re-training in robustness.",
        parts=(_gap(CLEAN, "renofeation", "delta", ">", -3), _gap(ASR, "renofeation", "retraining", "<", 5)),
    ),
    Claim(
        number=4,
        statement="Random initialisation is what removes most of the vulnerability.",
        parts=(_share_of_start(),),
    ),
    Claim(
        number=5,
        statement="Dropout and weight averaging each raise the feature loss and lower the attack's success.",
        parts=tuple(
            _gap(metric, run, "delta_r", side, 0)
            for run in ("delta_r+dropout", "delta_r+swa")
            for metric, side in ((FEATURES, ">"), (ASR, "<"))
        ),
    ),
    Claim(
        number=6,
        statement="With less training data, Renofeation falls further behind DELTA in accuracy.",
        parts=(_widening(),),
    ),
    Claim(
        number=7,
        statement="The further a model is from its teacher, the less the attack succeeds (Figure 1).",
        parts=(_rank_correlation(FEATURES), _rank_correlation(_WEIGHTS)),
    ),
)
