#!/bin/bash
# Two ranks, each in a network namespace of its own, on a link of a given rate: what a step's gradients take
# on it, sent after backward and beside it, and what the formula of docs/distributed.md says. Needs root, and
# `make mpi MPI=mpich` with its target train_steps.
#
#   bench/mpi/link.sh RATE_MBIT MODEL DATA_FOLDER STEPS [WORD...]      (words of tests/mpi/train_steps.cpp)
set -eu
cd "$(dirname "$0")/../.."
rate=$1
shift
work=$(mktemp -d)
cleanup() {
  ip netns del lim1 2>/dev/null || true
  ip netns del lim2 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
cleanup
mkdir -p "$work"
ip netns add lim1
ip netns add lim2
ip link add link0 netns lim1 type veth peer name link0 netns lim2
for n in 1 2; do
  ip -n lim$n addr add 10.77.0.$n/24 dev link0
  ip -n lim$n link set link0 up
  ip -n lim$n link set lo up
  ip netns exec lim$n tc qdisc add dev link0 root tbf rate "${rate}mbit" burst 256kb latency 50ms
done
sleep 1.5  # until the kernel says that the link is up
# In place of ssh: the host's last number is the namespace.
cat >"$work/enter" <<'END'
#!/bin/bash
while [[ $1 == -* ]]; do shift; done
host=$1
shift
exec ip netns exec "lim${host##*.}" sh -c "$*"
END
chmod +x "$work/enter"
run() {
  ip netns exec lim1 env UCX_TLS=tcp,self UCX_NET_DEVICES=link0 mpiexec.mpich -launcher ssh \
    -launcher-exec "$work/enter" -hosts 10.77.0.1,10.77.0.2 -n 2 -ppn 1 \
    build-mpich/train_steps "$@" 2>&1 | grep -v '^step' || true
}
echo "sent after backward:"
run "$@" no_overlap
echo "sent beside backward:"
run "$@"
