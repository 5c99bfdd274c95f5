"""Results of jobs that are kept from run to run."""

from .result_store import ResultStore, user_store

__all__ = ["ResultStore", "user_store"]
