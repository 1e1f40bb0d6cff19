"""A slow, plain evaluator of the policy language, written from its reference and from nothing else: the second opinion."""
