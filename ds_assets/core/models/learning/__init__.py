"""Fitting: learners, calibration, amounts, and the export to ONNX."""
