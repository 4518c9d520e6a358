"""Learners that need no TensorFlow: baseline, linear models, boosted trees. Each fits, predicts and says itself in ONNX."""
