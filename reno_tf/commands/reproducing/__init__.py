"""From a config to the runs of a reproduction: which they are, how long they take, and doing them."""
