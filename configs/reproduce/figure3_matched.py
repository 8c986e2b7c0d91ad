"""Figure 3 with the paper's λ = 5, and steps until the features are matched.

python main.py --mode=reproduce --config=configs/reproduce/figure3_matched.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("figure3_matched",), scale)
