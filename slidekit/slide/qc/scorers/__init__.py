"""Networks as plain functions: a batch of RGB images in, scores of classes out, whatever the network was made with."""
