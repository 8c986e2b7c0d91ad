"""Table 5: less training data.

python main.py --mode=reproduce --config=configs/reproduce/table5.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("table5",), scale)
