"""Figure 3: dropout and weight averaging, for three methods.

python main.py --mode=reproduce --config=configs/reproduce/figure3.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("figure3",), scale)
