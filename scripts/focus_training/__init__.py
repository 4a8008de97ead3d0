"""How the network of `qc.Focus` is trained, and how it is tested on slides and blur that it never saw."""
