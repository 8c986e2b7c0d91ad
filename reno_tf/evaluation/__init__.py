"""How often an attack succeeds, and whether the number can be believed."""

from reno_tf.evaluation.rates import (
    StageDistances,
    accuracy,
    attack_success,
    check_student,
    feature_distance,
    predict,
    rate,
    stage_distances,
    success_rates,
    weight_distance,
    worst_case,
)
