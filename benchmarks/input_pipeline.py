"""The input pipeline for photos beside a Pillow + NumPy loader that does the same, in one run.

    python benchmarks/input_pipeline.py

Makes 500x375 JPEGs, builds them into records, then measures in turn, several rounds, both on the
same number of workers: images/s of random resized crops of 224x224 with flips, in batches of 64.
Then the peak resident memory of a pass over 2 000 and over 20 000 images, in processes of their
own. Prints a table; writes --output.
"""

import argparse
import concurrent.futures
import io
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, BATCH = 224, 64


def make_jpegs(count: int) -> list[bytes]:
    """Smooth pictures with fine grain, 500x375, quality 90: about 45 KB each, as photos are."""
    generator = np.random.default_rng(0)
    return [_jpeg(generator) for _ in range(count)]


def _jpeg(generator):
    coarse = Image.fromarray(generator.integers(0, 256, (24, 32, 3), np.uint8)).resize((500, 375), Image.BICUBIC)
    grain = generator.integers(-8, 9, (375, 500, 1))
    content = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
    return content.getvalue()


def pillow_batches(read, count: int, workers: int):
    """Endless float32 batches by the peer: RandomResizedCrop and flip in Pillow, on threads."""

    def one(position):
        generator = np.random.default_rng([0, position])
        image = Image.open(io.BytesIO(read(int(generator.integers(count))))).convert("RGB")
        left, top, width, height = _window(image.size, generator)
        box = (left, top, left + width, top + height)
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
        if generator.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(image, np.float32) / 255

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        pending = [pool.submit(one, position) for position in range(2 * BATCH)]  # one batch ahead
        for first in range(0, 10**9, BATCH):
            yield np.stack([pending[position].result() for position in range(BATCH)])
            following = range(first + 2 * BATCH, first + 3 * BATCH)
            pending = pending[BATCH:] + [pool.submit(one, position) for position in following]


def _window(size, generator):
    """torchvision's rule."""
    width, height = size
    for _ in range(10):
        area = width * height * generator.uniform(0.08, 1.0)
        ratio = math.exp(generator.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(generator.integers(width - w + 1)), int(generator.integers(height - h + 1)), w, h
    return 0, 0, width, height


def our_batches(read, count: int, workers: int):
    """Endless float32 batches by this project."""
    from reno_tf import data  # before TensorFlow
    import tensorflow as tf  # isort: skip

    split = data.Split(data.Photos(read, range(count), size=SIZE), np.zeros(count, np.int64))
    options = tf.data.Options()
    options.threading.private_threadpool_size = workers
    for images, _ in data.train_batches(split, batch_size=BATCH, seed=0).with_options(options):
        yield images


def rate(batches, number: int) -> float:
    """Images/s over the next `number` batches."""
    begin = time.perf_counter()
    for _ in range(number):
        next(batches)
    return number * BATCH / (time.perf_counter() - begin)


def stages(jpeg: bytes, repeat: int = 300) -> dict[str, float]:
    """Milliseconds a photo, one after the other, each stage by itself, of a crop of about the mean size."""
    import tensorflow as tf

    from reno_tf.data import transforms

    encoded, window = tf.constant(jpeg), tf.constant([40, 60, 290, 300])
    crop = transforms.decode_crop(encoded, window, size=SIZE)
    parts = {
        "decode the crop": tf.function(lambda: transforms.decode_crop(tf.identity(encoded), window, size=SIZE)),
        "resize it": tf.function(lambda x: transforms.resize(x, SIZE, SIZE)).get_concrete_function(crop),
        "draw, decode, resize, flip, round": tf.function(
            lambda x, key: transforms.random_resized_crop(x, key, size=SIZE)
        ).get_concrete_function(encoded, tf.constant([0, 0])),
    }
    arguments = {"resize it": (crop,), "draw, decode, resize, flip, round": (encoded, tf.constant([0, 0]))}
    times = {}
    for name, part in parts.items():
        given = arguments.get(name, ())
        part(*given)
        begin = time.perf_counter()
        for _ in range(repeat):
            part(*given)
        times[name] = 1e3 * (time.perf_counter() - begin) / repeat
    return times


def build(jpegs: list[bytes], count: int, folder: str):
    """`count` records of the JPEGs, over and over, in the format that prepared data sets have."""
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(f"{folder}/{count}.array_record", "group_size:1")
    for number in range(count):
        writer.write(jpegs[number % len(jpegs)])
    writer.close()


def open_records(folder: str, count: int):
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    source = ArrayRecordDataSource(f"{folder}/{count}.array_record")
    return lambda number: source[int(number)]


def peak_memory(folder: str, count: int, workers: int) -> float:
    """MiB at the peak of a process that makes `count` images' worth of batches of `count` photos."""
    command = [sys.executable, __file__, "--memory_of", str(count), "--folder", folder, "--workers", str(workers)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, default=20, help="in each round")
    parser.add_argument("--output", default="results/benchmarks/input_pipeline.json")
    parser.add_argument("--memory_of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        batches = our_batches(open_records(options.folder, options.memory_of), options.memory_of, options.workers)
        rate(batches, options.memory_of // BATCH)
        # Not getrusage: its maximum is inherited from the parent.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        print(int(status["VmHWM"].split()[0]) / 1024)
        return
    with tempfile.TemporaryDirectory() as folder:
        jpegs = make_jpegs(500)
        for count in (2_000, 20_000):
            build(jpegs, count, folder)
        read = open_records(folder, 2_000)
        loaders = {
            "reno_tf": our_batches(read, 2_000, options.workers),
            "Pillow + NumPy": pillow_batches(read, 2_000, options.workers),
        }
        rates = {name: [] for name in loaders}
        for batches in loaders.values():
            rate(batches, 5)  # Warm.
        for _ in range(options.rounds):
            for name, batches in loaders.items():
                rates[name].append(rate(batches, options.batches))
        ratios = [ours / theirs for ours, theirs in zip(*rates.values(), strict=True)]
        memory = {count: peak_memory(folder, count, options.workers) for count in (2_000, 20_000)}
    report = {
        "workers": options.workers,
        "images_per_second": {name: sorted(values) for name, values in rates.items()},
        "ratio": sorted(ratios),
        "peak_mib": memory,
        "milliseconds_of_a_photo": stages(jpegs[0]),
    }
    for name, values in rates.items():
        print(f"{name:<16}{statistics.median(values):8.0f} images/s [{min(values):.0f}, {max(values):.0f}]")
    print(f"ratio           {statistics.median(ratios):8.2f}          [{min(ratios):.2f}, {max(ratios):.2f}]")
    for count, peak in memory.items():
        print(f"peak memory, {count} images: {peak:.0f} MiB")
    for name, milliseconds in report["milliseconds_of_a_photo"].items():
        print(f"{milliseconds:6.2f} ms  {name}")
    Path(options.output).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
