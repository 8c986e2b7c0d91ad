"""Table 7: dropout and weight averaging against the feature loss.

python main.py --mode=reproduce --config=configs/reproduce/table7.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("table7",), scale)
