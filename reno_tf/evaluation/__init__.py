"""How often an attack succeeds, and whether the number can be believed.

found = reno_tf.evaluation.worst_case(student, teacher, test)
found.worst_case.rate, found.worst_case.interval, found["disruption stage3"].rate
"""

from reno_tf.evaluation.answers import Answers, AttackAnswers
from reno_tf.evaluation.asking import ask, check_student, predict
from reno_tf.evaluation.attacker import Attacker, Crafting, Network, Pictures, own_images
from reno_tf.evaluation.evaluating import Measured, attack_success, evaluate, worst_case
from reno_tf.evaluation.rates import accuracy, success, worst_success
from reno_tf.evaluation.suite import SUITES, Suite, named
