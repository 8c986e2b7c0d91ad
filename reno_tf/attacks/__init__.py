"""Attacks through the public teacher: objective x rule x ball, on a network, within a budget.

The attacker has the teacher's weights and architecture, never the student's.
"""

from reno_tf.attacks.attack import Attack, Budget
from reno_tf.attacks.cache import craft_once, trace_once
from reno_tf.attacks.checking import ZeroGradient
from reno_tf.attacks.cleverhans import Cleverhans
from reno_tf.attacks.crafter import Crafter
from reno_tf.attacks.crafting import Noisy, craft
from reno_tf.attacks.ensemble import Ensemble
from reno_tf.attacks.objectives import (
    Disruption,
    Guide,
    Lift,
    NegativeCrossEntropy,
    Objective,
    ReferencePolarization,
    StageDistance,
    TargetDistance,
)
from reno_tf.attacks.pgd import PGD, penultimate_pgd
from reno_tf.attacks.registry import ATTACKS, COPIES, NETWORKS, OUT_OF_REACH, AttackEntry, AttackRef, build
from reno_tf.attacks.rules import Rule
from reno_tf.attacks.universal import Universal
