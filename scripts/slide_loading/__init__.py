"""How long it takes to load slides and to cut tiles from a level of them, by reader."""
