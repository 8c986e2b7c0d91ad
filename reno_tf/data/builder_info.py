"""How the builders here describe themselves to tensorflow-datasets."""

import tensorflow_datasets as tfds


def image_info(builder, class_names, *, size=None, homepage=None, metadata=None, **features) -> tfds.core.DatasetInfo:
    """The description of images with a class each. The text is the builder's docstring.

    Args:
      size: side of the images in pixels; they are then kept as PNG. None: any size, kept as they are.
      **features: beside "image" and "label".
    """
    image = tfds.features.Image(shape=(size, size, 3), encoding_format="png" if size else None)
    label = tfds.features.ClassLabel(names=list(class_names))
    return tfds.core.DatasetInfo(
        builder=builder,
        description=" ".join(builder.__doc__.split()),
        features=tfds.features.FeaturesDict({"image": image, "label": label, **features}),
        supervised_keys=("image", "label"),
        homepage=homepage,
        metadata=metadata,
    )
