"""Ports in memory: what a stage is tested on."""
