#!/bin/sh
# bench.sh prints how fast the virtual lab and the server of step 7 are: today, and at the commit START,
# both built here and measured in turn (ROUNDS times). Figures are printed, never asserted.
# On a machine with something else to do, compare the CPU only.
set -eu
START=${START:-00f0d04}
ROUNDS=${ROUNDS:-2}
here=$(git rev-parse --show-toplevel)
work=$(mktemp -d "${TMPDIR:-/tmp}/redial-bench-XXXXXX")
trap 'git -C "$here" worktree remove --force "$work/start" 2>/dev/null || :; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

builds=today
root_today=$here
if git -C "$here" worktree add --quiet --detach "$work/start" "$START" 2>/dev/null; then
	builds="start today"
	root_start=$work/start
	for modules in steps/node_modules scenarios/peers/node/node_modules; do
		ln -s "$here/$modules" "$work/start/$modules"
	done
else
	echo "The commit $START is not in this clone: only today's figures are measured." >&2
fi
for build in $builds; do
	eval "root=\$root_$build"
	(cd "$root" && go test -c -o "$work/lab-$build" ./harness/lab && go test -c -o "$work/peers-$build" ./scenarios/peers &&
		go build -o "$work/redial-$build" ./scenarios/cmd/redial)
done

for round in $(seq "$ROUNDS"); do
	for build in $builds; do
		eval "root=\$root_$build"
		echo "round $round of $ROUNDS, $build" >&2
		(cd "$root/harness/lab" && "$work/lab-$build" -test.run '^$' -test.bench '^BenchmarkVirtual(Pages|Wire)$' -test.benchtime 5s) >>"$work/$build.txt"
		(cd "$root/scenarios/peers" && "$work/peers-$build" -test.run '^$' -test.bench '^Benchmark(Storm|Delivery|Idle|LastMessages)$' -test.benchtime 1x -test.timeout 30m) >>"$work/$build.txt"
		began=$(date +%s.%N)
		(cd "$root" && "$work/redial-$build" check --step 7 --lab virtual --sweep single >/dev/null)
		echo "Sweep 1 $(echo "$(date +%s.%N) $began" | awk '{ print $1 - $2 }') s" >>"$work/$build.txt"
	done
done

# mean BUILD BENCHMARK UNIT is the mean of what the rounds measured.
mean() {
	[ -f "$work/$1.txt" ] || { echo –; return; }
	awk -v name="$2" -v unit="$3" '
		index($1, name) == 1 { for (i = 3; i < NF; i += 2) if ($(i + 1) == unit) { sum += $i; n++ } }
		END { if (n) printf "%.3g\n", sum / n; else print "–" }' "$work/$1.txt"
}
row() { printf '| %s | %s | %s | %s |\n' "$1" "$(mean start "$2" "$3")" "$(mean today "$2" "$3")" "$4"; }

echo "| | start ($START) | today | aim |"
echo "|---|---|---|---|"
row "virtual lab, three pages, step 7: runs/s" BenchmarkVirtualPages/step-7 runs/s 250
row "the same: ms of CPU a run" BenchmarkVirtualPages/step-7 cpu-ms/run ""
row "three wire clients, step 7: runs/s" BenchmarkVirtualWire/step-7 runs/s 2,000
row "the same: ms of CPU a run" BenchmarkVirtualWire/step-7 cpu-ms/run ""
row "three wire clients, step 5: runs/s" BenchmarkVirtualWire/step-5 runs/s 4,000
row "the same: ms of CPU a run" BenchmarkVirtualWire/step-5 cpu-ms/run ""
row "single-fault sweep of step 7: seconds" Sweep s 15
for history in 0 500; do
	storm=BenchmarkStorm/clients=2000/refreshed-history=$history
	row "storm, history $history: messages/s, of Node's" $storm step7/node-msgs/s "$([ $history = 0 ] && echo 3 || echo 5)"
	row "the same: Node's CPU, of ours" $storm node/step7-cpu ""
	row "the same: memory, of Node's" $storm step7/node-memory "$([ $history = 0 ] && echo 0.33 || :)"
done
for rate in 20 100 1000; do
	delivery=BenchmarkDelivery/clients=500/sent-per-s=$rate
	row "$rate messages/s to 500 clients: p99 in ms" $delivery step7-p99-ms ""
	row "the same: Node's p99, of ours" $delivery node/step7-p99 ""
	row "the same: Node's CPU, of ours" $delivery node/step7-cpu ""
	row "the same: our CPU, of a bare Go server's" $delivery step7/bare-cpu 1
done
row "19,500 idle connections to step 10: kB each" BenchmarkIdle step10-kB/connection ""
row "the same: memory, of Node's" BenchmarkIdle step10/node-memory ""
row "last 100 of 1,000,000 messages: time, of the last 100 of 1,000" BenchmarkLastMessages/step10 longest/shortest 1
