#!/bin/sh
# Weak scaling of training over ranks, simulated: builds bench/mpi/simulate.cpp, writes a platform for
# each link, prints a table, and where simulation and closed form differ. Needs SimGrid (Debian:
# libsimgrid-dev). About half a minute on one core.
#
#   bench/mpi/simulate.sh [FOLDER]      build/simulate
#
# SIMULATE_OPTIONS goes to smpirun, BUCKET is the size of a bucket in MB (25).
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-build/simulate}
mkdir -p "$folder"
smpicxx -std=c++20 -O2 -Wall -Wextra bench/mpi/simulate.cpp -o "$folder/simulate"

# Hosts at one switch that is never the bottleneck. A message passes two links, so each has half of
# the latency. Both directions of a link have all of its bandwidth.
platform() { # LATENCY BANDWIDTH
  cat << XML
<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="cluster" prefix="node" suffix="" radical="0-63" speed="1Gf" bw="${2}Bps"
           lat="$(awk "BEGIN { printf \"%.9f\", $1 / 2 }")s" sharing_policy="SPLITDUPLEX"/>
</platform>
XML
}
seq -f 'node%g' 0 63 > "$folder/hosts"

# simulate-computation: time passes in the injected waits, not in the processor time of this program.
# bw-factor, lat-factor: SMPI would take a nominal link and reduce it by factors fitted to one cluster
# of 1 Gbit Ethernet; bandwidth and latency here are those that a program sees, already reduced.
# TCP-gamma stays: its window of 4 MB allows 42 GB/s and more at these latencies. So does crosstraffic
# (acknowledgements take 5 % of a flow's bandwidth in the other direction).
simulate() { # NET GBIT LATENCY BANDWIDTH RANKS
  # shellcheck disable=SC2086
  smpirun -np "$5" -platform "$folder/$2.xml" -hostfile "$folder/hosts" \
    --cfg=smpi/simulate-computation:no --cfg=smpi/bw-factor:0:1 --cfg=smpi/lat-factor:0:1 \
    --log=root.thres:error ${SIMULATE_OPTIONS:-} "$folder/simulate" "$1" "$3" "$4" ${BUCKET:-}
}

differences="$folder/differences"
: > "$differences"
echo "| network | link | p=2 | 4 | 8 | 16 | 32 | 64 |"
echo "|---|---|---|---|---|---|---|---|"
for net in ResNet101 DenseNet201; do
  for link in "1 50e-6 0.117e9" "10 30e-6 1.17e9" "100 10e-6 11.7e9"; do
    # shellcheck disable=SC2086
    set -- $link
    platform "$2" "$3" > "$folder/$1.xml"
    printf '| %s | %s Gbit |' "$net" "$1"
    for ranks in 2 4 8 16 32 64; do
      echo "$net, $1 Gbit, $ranks ranks" >> "$differences"
      simulate "$net" "$1" "$2" "$3" "$ranks" 2>> "$differences"
    done
    echo
  done
done
echo
echo "Simulation and closed form differ by more than 3 %:"
grep -B 1 '^  ' "$differences" | grep -v '^--' || true
