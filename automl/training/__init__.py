"""Training loops for Keras nets held in memory, and their way to ONNX. Importing this package loads nothing heavy."""
