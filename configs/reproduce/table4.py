"""Table 4: DELTA, Renofeation and re-training on several networks.

python main.py --mode=reproduce --config=configs/reproduce/table4.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("table4",), scale)
