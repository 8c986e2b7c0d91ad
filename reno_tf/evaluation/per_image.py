"""What became of each image, and of each class."""

import numpy as np

from reno_tf.evaluation import rates
from reno_tf.evaluation.answers import Answers
from reno_tf.results import ClassRow
from reno_tf.spreadsheets import comma_separated


def table(answers: Answers, split, class_names) -> str:
    """CSV with a row for each image: its place and file, its label, and the student's answers by name.

    An answer that was not asked for is empty: attacks but the first are tried on the first images. "worst" is the
    answer to the first of the attacks that count which fools the student, else that to the clean image.
    """
    columns = {attack.name: attack.final for attack in answers.attacks} | {"worst": rates.worst(answers)}
    rows = [["image", "file", "label", "clean", *columns]]
    names = [*class_names, ""]
    for place, label in enumerate(answers.labels):
        predicted = [column[place] if place < len(column) else -1 for column in columns.values()]
        file = "" if split.files is None else split.files[place]
        cells = (names[number] for number in (label, answers.clean[place], *predicted))
        rows.append([split.indices[place], file, *cells])
    return comma_separated(rows)


def per_class(answers: Answers, class_names) -> list[ClassRow]:
    """A row for each class that the images have."""
    return [_row(answers, label, class_names[label]) for label in np.unique(answers.labels)]


def _row(answers, label, name) -> ClassRow:
    members = answers.labels == label
    labels, clean, beginning = answers.labels[members], answers.clean[members], members[: answers.num_tried]
    worst = rates.worst(answers)[beginning]
    return ClassRow(
        label=name,
        num_images=int(members.sum()),
        clean_accuracy=rates.accuracy(labels, clean),
        attack_success_rate=rates.success(labels, clean, answers.headline.final[members]),
        worst_case_success_rate=rates.success(labels[: len(worst)], clean[: len(worst)], worst),
    )
