"""Figure 4: the feature weight of DELTA.

python main.py --mode=reproduce --config=configs/reproduce/figure4.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("figure4",), scale)
