"""The attack by projected gradient descent: seeded starts, restarts, compiled once."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from reno_tf import hardware
from reno_tf.attacks import checking
from reno_tf.attacks.attack import Attack, Budget
from reno_tf.attacks.balls import BALLS
from reno_tf.attacks.crafter import Crafter
from reno_tf.attacks.descent import Descent
from reno_tf.attacks.objectives import TargetDistance
from reno_tf.attacks.rules import Rule
from reno_tf.attacks.units import widened
from reno_tf.errors import UserError

_START_STREAM, _VIEW_STREAM = 0, 2  # crafter.py's noise has 1


class PGDCrafter(Crafter):
    """Compiled once per batch shape, whatever the budget.

    Where TensorFlow sees several GPUs (or logical CPUs), each attacks its share of every batch.
    """

    def __init__(self, attack, network, budget, **options):
        super().__init__(attack, network, budget, **options)
        functions = (self._descend, self._trace, self.loss, self._features)
        self._compiled, self._traced, self._losses, self._clean_features = map(self._compiled_once, functions)
        self._descent = Descent(attack.ball, attack.rule)
        # Each gradient sees another view of the image: then the clean image's features are those of the same view.
        self._sees_anew = attack.rule.has_views or len(self._members) > 1
        self._attack_all, spread = self._compiled, hardware.devices()
        if len(spread) > 1:
            self._strategy = tf.distribute.MirroredStrategy(spread)
            self._attack_all = tf.function(self._spread, autograph=False)
        self._checked = False

    def trace(self, images, indices=None):
        images, indices = self._enter(images, indices)
        limits, context = self._limits(images), self._context(images, indices)
        begin = self._begin(images, indices, 0, limits)
        return self._traced(self._paced.steps, limits, images, *begin, *context).numpy().tolist()

    @property
    def _paced(self):
        return self.attack.rule.paced(self.budget)

    @property
    def gradients(self):
        return self._paced.steps * self.attack.rule.copies * self.attack.restarts

    def _attack(self, images, indices):
        limits, context = self._limits(images), self._context(images, indices)
        best = self._attempt(images, indices, 0, limits, context)
        if self.attack.restarts == 1:
            return best
        lowest = self._losses(best, *context)
        for restart in range(1, self.attack.restarts):
            other = self._attempt(images, indices, restart, limits, context)
            losses = self._losses(other, *context)
            best = tf.where((losses < lowest)[:, None, None, None], other, best)
            lowest = tf.minimum(losses, lowest)
        return best

    def _context(self, images, indices):
        return self.objective.remember(self._clean_features, images, indices, self.others)

    def _attempt(self, images, indices, restart, limits, context):
        start, keys = self._begin(images, indices, restart, limits)
        adversarial = self._attack_all(limits, images, start, keys, *context)
        if tf.executing_eagerly() and not self._checked and self.budget.moves:
            # A zero gradient moves nothing, so the gradient is checked only where nothing moved.
            project = BALLS[self.attack.ball].projection(images, widened(limits, images))
            if tf.reduce_all(project(start) == adversarial):
                checking.refuse_zero_gradient(lambda x: self.loss(x, *context), project(start))
            self._checked = True
        return adversarial

    def _begin(self, images, indices, restart, limits):
        """Where each image starts, and what its views are drawn from."""
        keys = self._keys(indices, _VIEW_STREAM, restart)
        if self.attack.start == "zero":
            return images, keys
        offset = self._random(images, self._keys(indices, _START_STREAM, restart))
        return images + limits.epsilon * offset, keys

    def _descend(self, limits, images, start, keys, *context):
        loss = self._seen(images, keys, context)
        return self._descent.run(loss, images, start, widened(limits, images))

    def _trace(self, steps, limits, images, start, keys, *context):
        loss = self._seen(images, keys, context)
        limits = widened(limits, images)._replace(steps=steps)  # Not a tensor: a trace has a length.
        return self._descent.trace(loss, lambda x: self.loss(x, *context), images, start, limits)

    def _seen(self, images, keys, context):
        """(x, number of the gradient) -> [B]: the objective through that gradient's view and network."""

        def loss(x, number):
            view = self.attack.rule.view(images.shape, keys, number)

            def through(features):
                remembered = context
                if self._sees_anew and self.objective.compares_with_clean:
                    remembered = self.objective.remember(features, view(images), None, None)
                return self.objective.loss(features(view(x)), *remembered)

            branches = [functools.partial(through, features) for features in self._members]
            return branches[0]() if len(branches) == 1 else tf.switch_case(number % len(branches), branches)

        return loss

    def _spread(self, limits, images, *others):
        """Every device takes its share; copies of the last image make the shares equal."""
        count, shares = images.shape[0], self._strategy.num_replicas_in_sync
        filled = np.minimum(np.arange(count + -count % shares), count - 1).reshape(shares, -1)

        def attack_share():
            rows = tf.gather(filled, tf.distribute.get_replica_context().replica_id_in_sync_group)
            rows = tf.ensure_shape(rows, filled[0].shape)
            share = tf.nest.map_structure(lambda values: tf.gather(values, rows), (images, *others))
            return self._compiled(limits, *share)

        attacked = self._strategy.experimental_local_results(self._strategy.run(attack_share))
        return tf.concat(attacked, axis=0)[:count]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PGD(Attack):
    """Signed (or, in the L2 ball, normalised) gradient steps, each projected (Madry et al., ICLR 2018).

    A budget's `steps` are gradients: a rule of several copies takes that many times fewer steps, each as much longer.
    """

    crafter = PGDCrafter

    rule: Rule = Rule()
    start: str = "uniform"  # In the ball; or "zero".
    restarts: int = 1  # Starts that are tried; of their results each image keeps the one of lowest loss.

    def __post_init__(self):
        super().__post_init__()
        if self.start not in ("uniform", "zero"):
            raise UserError(f'start must be "uniform" or "zero", not {self.start!r}')
        if self.start == "zero" and self.objective.compares_with_clean:
            raise UserError(f'{self.objective.name} needs start="uniform": at the clean image its gradient is zero')
        if self.restarts < 1 or (self.restarts > 1 and self.start == "zero"):
            raise UserError(f'restarts must be at least 1, and 1 with start="zero", not {self.restarts}')


def penultimate_pgd(
    teacher,
    *,
    epsilon=Budget.epsilon,
    step_size=Budget.step_size,
    steps=Budget.steps,
    target_scale=TargetDistance.target_scale,
    neuron=TargetDistance.neuron,
    seed=0,
    precision="auto",
    jit_compile="auto",
    **fields,
) -> Crafter:
    """Polarises the teacher's penultimate features (paper, equation 1; Rezaei and Liu, 2019).

        attack = penultimate_pgd(teacher, epsilon=0.1)
        adversarial = attack(images)

    Args:
      teacher: a model of this package, or any callable images [B, H, W, 3] in [0, 1] -> {"penultimate": [B, D]}.
      epsilon, step_size: in [0, 1] pixels: 0.1 is a tenth of the range from black to white; None: a tenth of epsilon.
      target_scale: m, the value that the neuron is driven to; neuron: which one, from 0 to D - 1.
      seed, precision, jit_compile: see `Crafter`. **fields: of `PGD`: rule, ball, unit, start, restarts.

    Raises UserError for a parameter out of its range.
    """
    attack = PGD(objective=TargetDistance(target_scale=target_scale, neuron=neuron), **fields)
    budget = Budget(epsilon=epsilon, step_size=step_size, steps=steps)
    return attack.on(teacher, budget, seed=seed, precision=precision, jit_compile=jit_compile)
