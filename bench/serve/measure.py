"""`limbic serve` beside FastAPI + ONNX Runtime: requests a second and latency, interleaved in one run.

    python3 bench/serve/measure.py --program build/limbic --python VENV/bin/python \\
        --network squeezenet1_1 --weights squeezenet1_1.pth --onnx squeezenet1_1.onnx PHOTO...

Needs wrk. The peer runs with 1 worker of 2 threads and with 2 workers of 1; the better one counts.
Python's standard library alone.
"""
import argparse
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent

LUA = """
local bodies = {}
for name in string.gmatch([[%s]], "[^\\n]+") do
  local file = io.open(name, "rb")
  bodies[#bodies + 1] = wrk.format("POST", "/predict",
    { ["Content-Type"] = "application/octet-stream" }, file:read("*a"))
  file:close()
end
local next_one = 0
request = function()
  next_one = next_one %% #bodies + 1
  return bodies[next_one]
end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %%d %%f %%f %%f %%d\\n", summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, photo):
    for _ in range(600):
        try:
            body = open(photo, "rb").read()
            url = "http://127.0.0.1:%d/predict" % port
            request = urllib.request.Request(url, data=body, method="POST", headers={
                "Content-Type": "application/octet-stream"})
            return urllib.request.urlopen(request, timeout=30).read()
        except OSError:
            time.sleep(0.1)
    raise SystemExit("a server does not start")


class Contender:
    def __init__(self, name, command, port, photo, environment=None):
        self.name, self.port, self.results = name, port, {}
        self.process = subprocess.Popen(command, env={**os.environ, **(environment or {})},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(port, photo)

    def measure(self, clients, seconds, script):
        out = subprocess.run(["wrk", "-t", str(min(2, clients)), "-c", str(clients), "-d",
                              "%ds" % seconds, "--timeout", "10s", "-s", script,
                              "http://127.0.0.1:%d" % self.port],
                             capture_output=True, text=True, check=True).stdout
        n, time_, p50, p99, errors = map(float, re.search(
            r"RESULT (\S+) (\S+) (\S+) (\S+) (\S+)", out).groups())
        self.results.setdefault(clients, []).append((n / time_, p50, p99, errors))

    def row(self, clients):
        columns = list(zip(*self.results[clients]))
        return [statistics.median(c) for c in columns[:3]] + [sum(columns[3])]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--program", default="build/limbic")
    p.add_argument("--python", required=True)
    p.add_argument("--network", required=True)
    p.add_argument("--weights", required=True)
    p.add_argument("--onnx", required=True)
    p.add_argument("--clients", default="1,4,16")
    p.add_argument("--seconds", type=int, default=8)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--limbic", default="", help="more options of limbic serve")
    p.add_argument("photos", nargs="+")
    a = p.parse_args()
    photo = a.photos[0]
    contenders = []
    port = free_port()
    contenders.append(Contender("limbic", [a.program, "serve", "--weights", a.weights, "--port",
                                           str(port), *a.limbic.split()], port, photo))
    preset = "lite0" if "lite0" in a.network else "torchvision"
    for workers in (1, 2):
        port = free_port()
        contenders.append(Contender(
            "FastAPI + ONNX Runtime, %d worker%s" % (workers, "s" * (workers > 1)),
            [a.python, "-m", "uvicorn", "--app-dir", str(HERE), "peer:app", "--workers",
             str(workers), "--port", str(port), "--log-level", "error", "--no-access-log"], port,
            photo, {"PEER_ONNX": os.path.abspath(a.onnx), "PEER_PRESET": preset,
                    "PEER_THREADS": str(3 - workers)}))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % "\n".join(os.path.abspath(x) for x in a.photos))
        script.flush()
        clients = [int(c) for c in a.clients.split(",")]
        for c in contenders:
            c.measure(4, 2, script.name)  # warm
            c.results.clear()
        for _ in range(a.rounds):
            for n in clients:
                for c in contenders:
                    c.measure(n, a.seconds, script.name)
    for c in contenders:
        c.process.terminate()
    print("%s, %d photos, medians of %d x %d s" % (a.network, len(a.photos), a.rounds, a.seconds))
    print("| clients | server | requests/s | p50 ms | p99 ms | errors |\n|---|---|---|---|---|---|")
    for n in clients:
        for c in contenders:
            print("| %d | %s | %.1f | %.1f | %.1f | %d |" % (n, c.name, *c.row(n)))
        best = max(contenders[1:], key=lambda c: c.row(n)[0])
        ours = contenders[0].row(n)
        print("| %d | ratio to %s | %.2fx | | %.2fx | |" % (n, best.name.rsplit(",")[-1].strip(),
              ours[0] / best.row(n)[0], ours[2] / best.row(n)[2]))


main()
