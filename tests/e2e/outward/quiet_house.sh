# An offline film in a network of its own, whose way out leads nowhere and counts what is sent there.
# $1 Python, $2 a folder with story.txt, $3 the preset. The packets that left are in $2/sent, and in
# $2/heard once one was sent on purpose.
set -eu
python=$1; folder=$2; preset=$3
ip link set lo up
ip link add out type veth peer name nowhere
echo 1 > /proc/sys/net/ipv6/conf/out/disable_ipv6
ip address add 192.0.2.1/24 dev out
ip link set nowhere up
ip link set out up arp off
ip route add default dev out
sent() { awk '$1 == "out:" { print $11 }' /proc/net/dev; }
reelmesh() { "$python" -c 'from services.suite.cli import main; main()' "$@"; }
told() { tail -n 1 | "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

reelmesh serve --data-dir "$folder/data" --ports-file "$folder/ports.json" --port-base 0 > "$folder/log" 2>&1 &
until [ -e "$folder/ports.json" ]; do kill -0 $!; sleep 0.1; done
REELMESH_ADDRESS=$(told orchestrator < "$folder/ports.json")
export REELMESH_ADDRESS
name=$(reelmesh film "$folder/story.txt" --preset "$preset" --resolution 480p --watch --json | told name)
reelmesh films remake "$name" 1 --feedback "with more gravitas" --watch --json | told state > "$folder/state"
sent > "$folder/sent"
"$python" -c 'import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("198.51.100.1", 9))'
sent > "$folder/heard"
