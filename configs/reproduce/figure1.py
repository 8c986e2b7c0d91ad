"""Figure 1: attack success against the distance to the teacher.

python main.py --mode=reproduce --config=configs/reproduce/figure1.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("figure1",), scale)
