"""Transfer methods. A new one is a file with one dataclass, and a line here."""

from reno_tf.methods.base import STARTS, Method
from reno_tf.methods.delta import Delta
from reno_tf.methods.delta_adversarial import DeltaAdversarial
from reno_tf.methods.delta_r import DeltaR
from reno_tf.methods.finetune import Finetune
from reno_tf.methods.hooks import Batch, Preparation, Step
from reno_tf.methods.inoculation import Inoculation
from reno_tf.methods.l2sp import L2SP
from reno_tf.methods.linear import Linear
from reno_tf.methods.neuron_distance import NeuronDistance
from reno_tf.methods.pubdef import PubDef
from reno_tf.methods.remos import Remos
from reno_tf.methods.renofeation import Renofeation
from reno_tf.methods.retraining import Retraining
from reno_tf.methods.schedule import Phase, Schedule
from reno_tf.methods.seam import Seam
from reno_tf.methods.vaccination import Vaccination
from reno_tf.methods.weight_variance import WeightVariance

_PAPERS = (Retraining, Linear, Finetune, L2SP, Delta, DeltaR, Renofeation, DeltaAdversarial)
_LATER = (Remos, Seam, WeightVariance, NeuronDistance, PubDef, Inoculation, Vaccination)

METHODS = {method.name: method for method in (*_PAPERS, *_LATER)}
