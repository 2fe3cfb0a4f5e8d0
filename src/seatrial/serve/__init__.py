"""Decodes, routes, predicts, decides, falls back and records a request; knows no HTTP."""
