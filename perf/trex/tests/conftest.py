"""python3 -m pytest perf/trex/tests, with SLUICE=target/release/sluice for what the bridge does to the frames, and TREX=v3.08
for TRex's own API beside the stand-in."""

import sys
from pathlib import Path

TREX = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TREX), str(TREX.parent)]
