"""--mode=taps: prints a backbone's stages."""

from reno_tf import models, settings


def taps(config) -> None:
    """Prints, for each stage of `config.model.backbone`, its height, width, channels and the layer that ends it.

    `config.model.taps` chooses other layers, in order from the input on.
    """
    networks = settings.read_networks(config)
    model = models.build(networks.backbone, **networks.options)
    for stage, shape in zip(models.stage_names(model), models.stage_shapes(model), strict=True):
        layer = model.output[stage]._keras_history.layer
        print(f"{stage}  {'x'.join(map(str, shape)):<12}  {layer.name}")
