"""What makes a batch of the tiles that were read, and needs a framework for it."""
