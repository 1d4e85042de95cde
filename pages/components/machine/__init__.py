"""This machine: the feature cache, graphics memory, TensorBoard."""
