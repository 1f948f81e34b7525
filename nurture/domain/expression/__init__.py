"""The expression language behind conditions: tree, evaluation, explanation, change by time. See `domain.conditions`."""
