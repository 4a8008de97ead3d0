"""What `slidekit.norm.torch` and `slidekit.norm.tensorflow` share: methods for many tiles at once, in any framework."""
