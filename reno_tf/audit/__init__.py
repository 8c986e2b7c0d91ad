"""Models that this project never saw: opened, asked what input they take, and wrapped to take images in [0, 1]."""

from reno_tf.audit.convention import Convention, Stated
from reno_tf.audit.detection import detect
from reno_tf.audit.foreign import Foreign
from reno_tf.audit.lineage import Comparison, Lineage, compare, trace
from reno_tf.audit.opening import FORMATS, digest_model, open_model
from reno_tf.audit.outputs import KINDS, as_logits, kind_of, refuse_misfit
from reno_tf.audit.public_part import named_as, public_teacher, take_backbone
from reno_tf.audit.ranges import RANGES
from reno_tf.audit.runtimes import from_function
from reno_tf.audit.student import Student
