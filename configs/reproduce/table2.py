"""Table 2: the baselines under attack through the teacher.

python main.py --mode=reproduce --config=configs/reproduce/table2.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("table2",), scale)
