"""The reconciler and its jobs: intake, retrain, roll out, watch, settle."""
