"""What the program's modes do, a file for each; modes.py, beside main.py, is the table of them."""

from reno_tf.commands.audit import audit
from reno_tf.commands.clean import clean
from reno_tf.commands.export import export
from reno_tf.commands.import_weights import import_weights
from reno_tf.commands.inspect_model import inspect
from reno_tf.commands.prepare_data import list_data, prepare_data
from reno_tf.commands.pretrain import pretrain
from reno_tf.commands.report import report
from reno_tf.commands.reproduce import reproduce
from reno_tf.commands.run import run
from reno_tf.commands.taps import taps
