"""The flags of a run that is over in seconds."""

SHORT = (
    "--config.split=validation",
    "--config.data.validation_per_class=2",
    "--config.steps.train=2",
    "--config.interval=1",
    "--config.batch_size=8",
    "--config.attack.steps=1",
    "--config.attack.core=('disruption stage1',)",  # The cheapest: the whole core is tested where it is counted.
    "--config.curve.factors=()",
)
