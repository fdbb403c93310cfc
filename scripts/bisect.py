#!/usr/bin/env python3
"""Finds the first value of a model that moec computes differently: scripts/bisect.py MODEL.onnx INPUTS, see --help."""
if __name__ == "__main__":
    import sys
    from first_difference import main
    sys.exit(main())

# Scripts of this folder find this file where they, or what they import, mean Python's module of the same name.
from _bisect import *

bisect, insort = bisect_right, insort_right
