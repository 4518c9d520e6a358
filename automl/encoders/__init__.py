"""Encoders: one file a column kind, each with fit, JSON state, arrays and an ONNX fragment."""
