"""What became of each image, and of each class."""

import numpy as np

from reno_tf.evaluation import rates
from reno_tf.evaluation.suite import Outcome
from reno_tf.spreadsheets import comma_separated


def table(split, class_names, clean, outcomes: list[Outcome], count: int) -> str:
    """CSV with a row for each image: its place and file, its label, and the student's answers by name.

    An answer that was not asked for is empty: attacks but the first are tried on the first `count` images. "worst" is
    the answer to the first of the attacks that count which fools the student, else that to the clean image.
    """
    columns = {outcome.member.name: outcome.final for outcome in outcomes}
    columns["worst"] = _worst(split.labels[:count], clean[:count], outcomes)
    rows = [["image", "file", "label", "clean", *columns]]
    names = [*class_names, ""]
    for place, (index, label) in enumerate(zip(split.indices, split.labels, strict=True)):
        answers = [answers[place] if place < len(answers) else -1 for answers in columns.values()]
        file = "" if split.files is None else split.files[place]
        rows.append([index, file, *(names[answer] for answer in (label, clean[place], *answers))])
    return comma_separated(rows)


def per_class(labels, class_names, clean, outcomes: list[Outcome], count: int) -> list[dict]:
    """A row for each class that the images have: its name, how many, and its rates as in results.json."""
    rows, first = [], outcomes[0].final
    worst, labels, clean = _worst(labels[:count], clean[:count], outcomes), np.asarray(labels), np.asarray(clean)
    for label in np.unique(labels):
        own = labels == label
        right, beginning = own & (clean == label), own[:count] & (clean[:count] == label)
        rows.append(
            {
                "class": class_names[label],
                "num_images": int(own.sum()),
                **rates.rate("clean_accuracy", right.sum(), own.sum()),
                **rates.rate("attack_success_rate", (right & (first != label)).sum(), right.sum()),
                **rates.rate("worst_case_success_rate", (beginning & (worst != label)).sum(), beginning.sum()),
            }
        )
    return rows


def of_all(labels, clean, outcomes: list[Outcome], count: int) -> dict:
    """Success as a part of all images, not of those that are right when clean: fewer, so the lower rates."""
    labels, clean = np.asarray(labels), np.asarray(clean)
    right, worst = clean == labels, _worst(labels[:count], clean[:count], outcomes)
    return {
        **rates.rate("attack_success_rate_of_all", (right & (outcomes[0].final != labels)).sum(), len(labels)),
        **rates.rate("worst_case_success_rate_of_all", (right[:count] & (worst != labels[:count])).sum(), count),
    }


def _worst(labels, clean, outcomes):
    answers = [outcome.final[: len(labels)] for outcome in outcomes if outcome.member.counts]
    return np.where(clean == labels, rates.worst_case(labels, answers), clean) if answers else clean
