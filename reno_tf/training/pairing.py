"""Which student a method can train beside which teacher."""

from reno_tf.errors import UserError
from reno_tf.models import named_weights, stage_shapes


def check_pair(student, teacher, method) -> None:
    """Raises UserError unless the student fits the teacher in all that `method` needs of it."""
    if not method.needs_teacher:
        return
    if teacher is None:
        raise UserError(f"{method.name} needs a teacher")
    if method.start == "teacher":
        if _shapes(student) != _shapes(teacher):
            raise UserError(
                f"{method.name} starts from the teacher's weights and needs a student of its backbone: "
                f"{student.name} is not {teacher.name}"
            )
    elif method.needs_features and stage_shapes(student) != stage_shapes(teacher):
        raise UserError(
            f"{method.name} compares features stage by stage: {student.name} gives {stage_shapes(student)}, "
            f"{teacher.name} {stage_shapes(teacher)}"
        )


def _shapes(model):
    return {name: tuple(weight.shape) for name, weight in named_weights(model, head=False).items()}
