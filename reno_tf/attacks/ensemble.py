"""Networks that an attack goes through in turn."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """One network after the other, one for each gradient, so that no gradient is of one network alone.

    Liu et al., "Delving into Transferable Adversarial Examples and Black-box Attacks", ICLR 2017, average over the
    networks instead; by turns each gradient costs one network. Its outputs are those of the first.
    """

    members: tuple  # networks with the same outputs

    @property
    def output(self):
        return self.members[0].output

    def __call__(self, images, training=False):
        return self.members[0](images, training=training)
