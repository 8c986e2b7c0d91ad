"""Data sets: what they are (`sources`), how they are built and read, and the batches made of them."""

from reno_tf.data.base import Dataset, Split
from reno_tf.data.imagefile import limit_pixels
from reno_tf.data.loading import fingerprint, load
from reno_tf.data.photos import Photos
from reno_tf.data.pipeline import batches_per_pass, eval_batches, first_images, train_batches
from reno_tf.data.sources import DATASETS, find
from reno_tf.data.transforms import GEOMETRIES, random_affine
