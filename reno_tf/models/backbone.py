"""What all backbones share, whatever their family."""

import dataclasses
from collections.abc import Callable, Mapping

import tf_keras

from reno_tf.models.stages import Stages, tapped_model


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network of one family.

    layers: (images in [0, 1], stages, **options) -> the last feature map. The function normalises the
      images, and calls `stages` on the output of each stage.
    published_names: {name of a layer here: name of its module in the published state dict}, for every
      layer with weights; None if no state dict is published.
    """

    layers: Callable
    published_names: Mapping[str, str] | None = None

    def build(
        self, name: str, *, num_classes=None, dropout=0.0, tap="before_dropout", image_size=None, **options
    ) -> tf_keras.Model:
        """Puts an input before the layers, and a global average pool and a head behind them.

        Args:
          name: the model's.
          num_classes: size of the linear head; None builds the backbone alone.
          dropout, tap: see `reno_tf.models.stages.Stages`.
          image_size: side of the square input in pixels; None accepts any size.
          **options: of `layers`.

        Returns:
          Images [B, H, W, 3] in [0, 1] -> {"stage1": [B, h, w, c], ..., "penultimate": [B, d][,
          "logits": [B, num_classes]]}.
        """
        images, stages = tf_keras.Input([image_size, image_size, 3], name="images"), Stages(dropout, tap)
        return tapped_model(images, stages, self.layers(images, stages, **options), num_classes, name)
