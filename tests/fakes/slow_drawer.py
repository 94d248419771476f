"""Takes the place of the process that draws: says for a while that it gets on, then answers."""

import json
import sys
import time

for line in sys.stdin:
    for _ in range(json.loads(line)["frames"]):
        time.sleep(0.2)
        sys.stdout.write('{"alive": true}\n')
        sys.stdout.flush()
    sys.stdout.write('{"files": {}}\n')
    sys.stdout.flush()
