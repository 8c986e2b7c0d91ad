"""Images / s of a training step of DELTA, beside plain PyTorch's, and what mixed precision does to the loss.

    pip install -c constraints.txt -e '.[bench]' && python benchmarks/train_step.py

Every contender does the same step: the teacher's features in inference mode, the student's forward
and backward pass in training mode, cross-entropy + feature distance + weight decay + head decay,
SGD with momentum. FLOPs are those of four forward passes (the teacher's, the student's, and its
gradients for features and weights), a multiplication and an addition counted apart; the matmul rates
are TensorFlow's on square matrices, in the same rounds. Then both precisions train on the same few
batches over and over: their losses, step by step, go to the JSON and a PNG.
"""

import argparse
import statistics
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tools")]

import interleave  # noqa: E402

_BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101", "mobilenet_v2", "efficientnet_lite0")
_RATE, _MOMENTUM, _CLASSES = 0.005, 0.9, 5
_DELTA = {"weight_decay": 1e-4, "head_decay": 0.01, "feature_weight": 0.5}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18", choices=_BACKBONES)
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    parser.add_argument("--batch", type=int, default=32, help="images")
    parser.add_argument("--steps", type=int, default=3, help="training steps of one run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--curve", type=int, default=40, help="steps of the loss curve; 0 draws none")
    parser.add_argument("--output", default="results/benchmarks/train_step.json", help="the PNG stands beside it")
    options = parser.parse_args()
    work = {key: getattr(options, key) for key in ("backbone", "size", "batch", "steps")}
    measured, skipped = interleave.measure(build, [*interleave.MATMULS, *CONTENDERS], rounds=options.rounds, **work)
    curves = {}
    if options.curve:
        names, work_of_curve = ("float32", "mixed_bfloat16"), work | {"steps": options.curve}
        curves = {
            name.removeprefix("curve "): entry["result"]
            for name, entry in interleave.measure(
                build, [f"curve {name}" for name in names], rounds=0, **work_of_curve
            )[0].items()
        }
    report(measured, skipped, curves, work, Path(options.output))


def build(name, *, backbone, size, batch, steps):
    """The contender as a callable that trains `steps` steps and returns the last loss; "curve ..." returns all."""
    interleave.use_threads()
    if name in interleave.MATMULS:
        return interleave.matmul(name)
    import numpy as np

    from benchmarks.peers import states

    images = states.random_images(4 * batch, size, size).reshape(4, batch, size, size, 3)
    labels = np.random.default_rng(0).integers(_CLASSES, size=(4, batch))
    curve, name = name.startswith("curve "), name.removeprefix("curve ")
    step = ours(name, backbone) if curve else CONTENDERS[name](backbone)

    def run():
        losses = [step(images[number % 4], labels[number % 4]) for number in range(steps)]
        return losses if curve else losses[-1]

    return run


def ours(precision, backbone, jit_compile=False):
    from benchmarks.peers import own
    from reno_tf import Transfer, methods, models
    from reno_tf.training import optimizers

    teacher = own.build(backbone)
    student = models.build(backbone, num_classes=_CLASSES, precision=precision)
    model = Transfer(student, teacher, methods.Delta(**_DELTA))
    model.compile(optimizer=optimizers.SGD(_RATE, _MOMENTUM), jit_compile=jit_compile)
    return lambda images, labels: float(model.train_on_batch(images, labels, return_dict=True)["loss"])


def xla(precision, backbone):
    """XLA on: where a GPU is visible, for on CPUs it is many times slower."""
    interleave.require_gpu()
    return ours(precision, backbone, jit_compile=True)


def pytorch(backbone):
    import torch
    from torch.nn import functional

    from benchmarks.peers import pytorch as peer

    device = interleave.torch_device()
    teacher, student = peer.build(backbone).to(device), peer.build(backbone).to(device).train()
    (head,) = (module for module in student.modules() if isinstance(module, torch.nn.Linear))
    enter = peer.lite_normalized if "lite" in backbone else peer.normalized
    optimizer = torch.optim.SGD(student.parameters(), _RATE, _MOMENTUM, weight_decay=_DELTA["weight_decay"])

    def step(images, labels):
        x, labels = enter(images).to(device), torch.from_numpy(labels).to(device)
        with torch.no_grad():
            targets = teacher(x)
        outputs = student(x)
        stages = [stage for stage in outputs if stage.startswith("stage")]
        loss = functional.cross_entropy(outputs["logits"], labels)
        loss += _DELTA["feature_weight"] * sum((outputs[s] - targets[s]).square().mean() for s in stages)
        loss += _DELTA["head_decay"] / 2 * sum(weight.square().sum() for weight in head.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


CONTENDERS = {
    "ours mixed_bfloat16": lambda backbone: ours("mixed_bfloat16", backbone),
    "ours float32": lambda backbone: ours("float32", backbone),
    "ours mixed_bfloat16, XLA": lambda backbone: xla("mixed_bfloat16", backbone),
    "ours float32, XLA": lambda backbone: xla("float32", backbone),
    "PyTorch": pytorch,
}


def report(measured, skipped, curves, work, output):
    """Prints the table; writes the JSON and the picture of the curves."""
    from models_table import flops

    from reno_tf import files, models

    per_image = 4 * flops(models.build(work["backbone"], image_size=work["size"]), work["size"])
    matmul, base, rows = interleave.matmul_rates(measured), measured.get("PyTorch"), {}
    for name, entry in measured.items():
        rate = interleave.rates(entry, work["batch"] * work["steps"])
        dtype = "bfloat16" if "bfloat16" in name else "float32"
        rows[name] = {
            **rate,
            "times_pytorch": base and interleave.ratio(entry, base),
            "share_of_matmul": rate["median"] * per_image / 1e9 / matmul[dtype]["median"],
            **{key: entry[key] for key in ("first_seconds", "seconds", "cpu_seconds")},
        }
    print(f"\n{work}, {interleave.machine()}, {per_image / 1e9:.2f} GFLOP an image")
    print("| | images / s | x PyTorch | share of matmul |\n|---|---|---|---|")
    for name, row in rows.items():
        times = "" if row["times_pytorch"] is None else f"{row['times_pytorch']:.2f}"
        share = f"{100 * row['share_of_matmul']:.0f} %"
        print(f"| {name} | {row['median']:.1f} ({row['low']:.1f} to {row['high']:.1f}) | {times} | {share} |")
    for name, reason in skipped.items():
        print(f"\n{name} is left out: {reason}")
    content = {
        "work": work,
        "machine": interleave.machine(),
        "contenders": rows,
        "matmul": matmul,
        "skipped": skipped,
        "losses": curves,
    }
    files.write_json(output, content)
    if curves:
        float32, mixed = (curves[name] for name in ("float32", "mixed_bfloat16"))
        apart = statistics.mean(abs(a - b) / a for a, b in zip(float32, mixed, strict=True))
        print(
            f"\nLoss after {len(float32)} steps: {float32[-1]:.4f} in float32, {mixed[-1]:.4f} mixed; "
            f"{100 * apart:.2f} % apart on average"
        )
        files.write_bytes(output.with_suffix(".png"), _picture(curves))


def _picture(curves):
    import io

    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, losses in curves.items():
        axes.plot(range(1, len(losses) + 1), losses, label=name)
    axes.set(xlabel="step", ylabel="loss")
    axes.legend()
    content = io.BytesIO()
    figure.savefig(content, dpi=120)
    return content.getvalue()


if __name__ == "__main__":
    main()
