"""The dispatch core under simulated time: the product's own modules, and everything around them decided by a seed.

See __main__.py for how to run it, plan.py for what a seed decides, judge.py for what must hold.
"""
