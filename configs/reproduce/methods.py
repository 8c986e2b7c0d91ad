"""Every method in one table: the rows of Tables 2, 6 and 7.

python main.py --mode=reproduce --config=configs/reproduce/methods.py
"""

from configs.reproduce import scales


def get_config(scale: str = "embedded"):
    return scales.get_config(("methods",), scale)
