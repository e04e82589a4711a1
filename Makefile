# Redial: `make` shows what there is to do. A target fetches what it needs that
# the machine lacks, or says in one line what to install.

GO     ?= go
PORT   ?= 3000
REDIAL  = $(GO) run ./scenarios/cmd/redial
STEPS   = 1 2 3 4 5 6 7 7a 8 9 10

.DEFAULT_GOAL = help
.PHONY: help quick lab check check-all test fetch vet test-under-load fuzz bench bench-all probe docs docs-accept learn exercises-all client peer peer-tools peers peers-all steps-all browser browser-agrees browser-refresh backends lab-wasm lab-all fidelity defects sweep-groups soak soak-kills mutants site site-serve site-test clean $(STEPS:%=step-%)

help: ## this list
	@echo "Redial: what Socket.IO chat does when the connection breaks."
	@echo
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'
	@echo "  make step-N       serve step N of the tutorial ($(STEPS)) at http://localhost:$(PORT)"
	@echo "  make start-exercise-N, make exercise-N   a copy of step N (3 to 10, 7a) to change, and what it still loses"
	@echo "  make serve-exercise-N, make hint-N, make solution-N   serve that copy; a hint; the solution"

$(STEPS:%=step-%): step-%: client
	@PORT=$(PORT) $(GO) run ./steps $* $(SERVERS)

# Step 9 is several servers, on PORT and the ports after it. BACKEND=postgres has them
# share a PostgreSQL and a Redis, started for the purpose, in place of a file.
step-9: SERVERS ?= 2
step-9: $(if $(filter postgres,$(BACKEND)),backends)

lab: client ## the lab page: break a chat by hand and see at once what is lost (PORT=3000)
	@mkdir -p out && $(GO) build -o out/redial-lab ./scenarios/cmd/redial && PORT=$(PORT) exec out/redial-lab lab

# How long each of the six steps is swept.
SWEEP_TIME ?= 10s
check: client ## the main job: break the connection of every step in every way, print the matrix
	@$(REDIAL) matrix --lab virtual
	@$(REDIAL) matrix --sample 12
	@for step in 5 6 7 8 9 10; do $(REDIAL) check --step $$step --lab virtual --sweep single --time-limit $(SWEEP_TIME) || exit; done

check-all: client backends ## the same without samples: every row in both labs, step 9 on PostgreSQL too, every fault at every frame
	@$(REDIAL) matrix --lab virtual
	@$(REDIAL) matrix
	@$(REDIAL) check --step 9-postgres
	@$(REDIAL) defects --lab real
	@for step in 5 6 7 8 9 10; do $(REDIAL) check --step $$step --lab virtual --sweep single --whole || exit; done

quick: client ## for a developer, within a minute: vet, the judge's own tests, the virtual matrix, and what is broken on purpose
	$(GO) vet ./...
	$(GO) test ./harness/check ./harness/defect ./harness/history ./harness/network ./harness/plan ./harness/report ./harness/sweep
	@$(REDIAL) matrix --lab virtual
	@$(REDIAL) defects --lab virtual

# The race detector watches all that runs goroutines of ours. In these packages the servers
# and pages are processes of their own, or one thread, and it would only make them ten
# times slower; of the runner and the command it watches a few tests. The long ones come first.
PLAIN = ./scenarios/runner ./scenarios/labpage/host ./scenarios/cmd/redial ./scenarios/peers ./docs ./harness/client/browser ./scenarios/labwasm ./scenarios ./scenarios/exercises ./harness/report ./harness/plan ./harness/check
# These are tested both ways: the Go server's polling has a race, and the tests of that are not built with the detector.
BOTH = ./harness/client/page ./harness/client/wire
# A program under the race detector sleeps a second before it exits, unless GORACE says
# otherwise. Most tests wait, so that three packages at a time keep two processors busy. The
# target vet has seen all of it.
RACE = GORACE=atexit_sleep_ms=10 $(GO) test -race -vet=off -p 3 -timeout 45m
# What the race detector watches whole in two of the plain packages; test-plain leaves it out.
WATCHED = Step8Meets|Kills|Interrupt|TimeLimit|LabServes|LevelAutoReports|LevelAutoKnows|LevelAutoTells
# What Go has compiled, vetted and linted for a clone at another path is used again
# (-trimpath), and no result of a test is (-count).
test: export GOFLAGS += -trimpath -count=1
test: ## vet, staticcheck and every test, most of them with the race detector
	@$(MAKE) --no-print-directory -j2 fetch vet
	@$(MAKE) --no-print-directory -j2 peer-tools test-race
	@$(MAKE) --no-print-directory -j3 test-watched test-plain test-long
	$(GO) test -vet=off -run '^TestHostile' ./scenarios/cmd/redial

# test-long is what the other packages leave out under the race detector. Hostile servers
# fill the machine, so they come last and alone.
.PHONY: test-race test-watched test-plain test-long
test-race: # the longest first, which go test does not play twice
	$(RACE) ./steps/lessons ./harness/lab ./steps/cures/recovery ./scenarios/suite $(filter-out $(PLAIN:.%=redial%),$(shell $(GO) list ./...))
test-watched:
	$(RACE) -run '^Test($(WATCHED))' ./scenarios/runner ./scenarios/cmd/redial
test-plain:
	$(GO) test -vet=off -p 3 -parallel 4 -timeout 45m -skip '^Test(Hostile|$(WATCHED))' $(PLAIN)
test-long:
	$(GO) test -vet=off -short -run '^Test(VirtualIsRepeatable|VirtualTwoEnds|VirtualCrash|MemoryStays|TrafficHas|AHistoryOfLong|APageThatTakes)' ./harness/lab ./steps/lessons
	$(GO) test -vet=off $(BOTH)
	$(GO) test -vet=off ./scenarios/suite -ginkgo.label-filter=lab:virtual

# What the tests need is fetched while Go builds: make test does both at a time. To build the
# SQLite of the Node.js servers takes minutes, so that goes on during the first tests.
fetch:
	@$(MAKE) --no-print-directory -j1 client browser backends

vet:
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

LOAD ?= 8
test-under-load: ## make test beside LOAD=8 processes that keep the processors busy
	@for n in $$(seq $(LOAD)); do sh -c 'while :; do :; done' & busy="$$busy $$!"; done; \
	trap "kill $$busy" EXIT; $(MAKE) --no-print-directory test

FUZZTIME ?= 1m
fuzz: ## fuzz each target in turn (FUZZTIME=1m each); an input that fails is kept under testdata/fuzz
	@grep -rHo --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9]*' . | sort | while IFS=: read -r file target; do \
		folder=$$(dirname "$$file"); target=$${target#func }; \
		echo "$$target in $$folder, for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$folder" || exit; \
	done

bench: client peer ## how fast the virtual lab and a server are, beside the commit START=00f0d04 and beside Node.js (ROUNDS=2)
	@scenarios/bench.sh

bench-all: client peer ## every benchmark; figures are printed, never asserted
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

probe: ## what is lost and reordered while sessions are restored: the library's adapter and ours
	$(GO) test -count 1 -v -run '^TestProbe$$' ./steps/cures/recovery

docs: client ## write anew what is generated in docs, and check the rest
	@$(GO) run ./docs/cmd/docs

docs-accept: client ## the same, and lock both languages as they are: they were looked at
	@$(GO) run ./docs/cmd/docs -accept

# SITE_BASE=/redial/ builds it for a path on its server. The lab is part of it, at /lab/.
site: docs/site/node_modules/.package-lock.json lab-wasm ## build docs as a site with search in both languages, in out/site (npm; SITE_BASE=/redial/)
	cd docs/site && npm run --silent build
	@$(GO) run ./docs/cmd/site -check
	@echo "The site is in out/site. To look at it: make site-serve, or any server of static files."

site-serve: ## serve out/site at http://localhost:3000 (PORT=3000)
	@PORT=$(PORT) $(GO) run ./docs/cmd/site

site-test: site browser ## build the site and try it in Chromium: search, languages, accessibility
	$(GO) test -count 1 ./docs/internal/site -site $(CURDIR)/out/site

# The exercises. The command is built and not run by go run, which would take its exit
# status. RESET=1 starts again without asking; ANSWER=b predicts where nobody can be asked.
LEARN = $(GO) build -o bin/redial ./scenarios/cmd/redial && bin/redial learn
learn: ## list the exercises of the tutorial, with how far each is
	@$(LEARN)

start-exercise-%: client
	@$(LEARN) start $* $(if $(RESET),--reset)

exercise-%: client
	@$(LEARN) check $* $(if $(ANSWER),--answer $(ANSWER))

serve-exercise-%: client
	@$(GO) build -o bin/redial ./scenarios/cmd/redial && PORT=$(PORT) bin/redial learn serve $*

exercises-all: client ## start every exercise, see it fail, apply its solution, see it pass: as a learner does (10 minutes)
	$(GO) test -count 1 -v -timeout 0 -run '^TestLearnersWay$$' ./scenarios/exercises -every-exercise

hint-%:
	@$(LEARN) hint $*

solution-%:
	@$(LEARN) solution $*

# How often, and whose servers. Step 9 has two of them; 7 and 8 have one.
KILLS      ?= 200
KILL_STEPS ?= 9
soak-kills: client ## kill servers at random frames under traffic (KILLS=200 KILL_STEPS=9): nothing acknowledged may be lost
	$(GO) test -count 1 -v -timeout 0 -run '^TestKills$$' ./scenarios/runner -kills $(KILLS) -kill-steps $(KILL_STEPS)

lab-wasm: client ## the lab page with the lab itself as WebAssembly: a folder for any server of files (out/lab)
	@$(GO) run ./scenarios/cmd/labwasm out/lab

lab-all: client browser ## the lab page in Chromium, native and as WebAssembly: every edit at every step, and the whole tour; 1,000 edits timed (12 minutes)
	$(GO) test -count 1 -v -timeout 0 -run '^Test(EveryEdit|TheTour|ThousandEdits)' ./scenarios/labpage/host -whole

REFRESHES ?= 100
browser-refresh: client browser ## refresh pages of steps 7 to 10 in Chromium under traffic (REFRESHES=100): each time the list must equal the log
	$(GO) test -count 1 -v -timeout 0 -run '^TestRefreshInChromium$$' ./scenarios/runner -browser-refreshes $(REFRESHES)

WAYS ?= all
browser-agrees: client browser ## the matrix of steps 5 to 10 with the pages in Chromium: the same outcomes (an hour; WAYS=clean-drop,refresh)
	$(GO) test -count 1 -v -timeout 0 -run '^TestBothWaysAgree$$' ./scenarios/runner -ways-scenarios $(WAYS) -ways-steps 5,6,7,8,9,10

fidelity: client ## play every scenario in both labs, and write down where they differ (scenarios/fidelity.md)
	@mkdir -p out && $(REDIAL) fidelity --seed 1 >out/fidelity.md && mv out/fidelity.md scenarios/fidelity.md

defects: client ## play what is broken on purpose, and write down which rule catches what (scenarios/defects.md)
	@mkdir -p out && $(REDIAL) defects --seed 1 --markdown >out/defects.md && mv out/defects.md scenarios/defects.md

# The applications of other shapes, each with its redial.yaml.
PEERS ?= $(sort $(shell find scenarios/peers -name redial.yaml -not -path '*/node_modules/*'))
# PEER_SCENARIOS= plays all scenarios; 25 minutes on two cores were enough for eight of the fifteen.
PEER_SCENARIOS ?= clean-drop,network-switch,killed-at-acknowledgement,refresh,server-killed,cut-in-replay,write-on-dead-connection,burst
peers: client browser peer-tools ## compare applications of other shapes: which level each holds (scenarios/conformance.md)
	@mkdir -p out && $(REDIAL) conformance --seed 1 $(if $(PEER_SCENARIOS),--scenario $(PEER_SCENARIOS)) --json out/conformance.json $(PEERS) >out/conformance.md && \
	mv out/conformance.json scenarios/conformance.json && mv out/conformance.md scenarios/conformance.md

RIGHT_RUNS ?= 20
peers-all: client peer-tools ## right servers in Node.js and Python in every row, 20 times (RIGHT_RUNS=20): all must pass
	$(GO) test -count 1 -v -timeout 0 -run '^TestRightPeersPass$$' ./scenarios/peers -right-runs $(RIGHT_RUNS)

steps-all: client ## steps 5 to 10 at their own level in every row and both labs, 20 times (RIGHT_RUNS=20): all must pass
	$(GO) test -count 1 -v -timeout 0 -run '^TestStepsKeepTheirOwnPromise$$' ./scenarios/runner -right-runs $(RIGHT_RUNS)

sweep-groups: client ## play all that a sweep takes for one: the verdicts within a group must be equal
	$(GO) test -count 1 -v -timeout 0 -run '^TestPointsOfAGroupAreEqual$$' ./scenarios/runner -whole-groups

RUNS ?= 0
soak: client ## random plans on steps 6 to 10 until Ctrl-C, or RUNS=100000 of each; what fails is saved
	@$(REDIAL) soak --runs $(RUNS)

mutants: client ## change the judge, the steps and the recovery in every place; a test has to notice (an hour; MUTANTS=steps/step8)
	@$(GO) run ./scenarios/cmd/mutants $(MUTANTS)

client: steps/node_modules/.package-lock.json ## fetch the official browser client (npm)
peer: scenarios/peers/node/node_modules/.package-lock.json ## fetch what the Node server needs (npm; builds SQLite)

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later with npm, then run make again" >&2; exit 1; }
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

browser: ## Chromium, for the tests in a real browser (apt-get, as root)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; }; } || \
	echo "Chromium is missing and cannot be installed here: the browser tests will be skipped. Install the package chromium to run them."

backends: ## Redis and PostgreSQL, for step 9 (apt-get, as root)
	@{ command -v redis-server && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server postgresql >/dev/null; }; } || \
	echo "Redis and PostgreSQL are missing and cannot be installed here: step 9 is tried with SQLite only. Install the packages redis-server and postgresql to run it with them."

peer-tools: ## what the servers in Node.js and Python need (npm; apt-get, as root)
	@$(MAKE) --no-print-directory peer || echo "What the Node.js servers need cannot be installed here: the right one is not tried."
	@for python in /usr/bin/python3 python3; do $$python -c 'import socketio, aiohttp' 2>/dev/null && exit; done; \
	{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-socketio python3-aiohttp >/dev/null; }; } || \
	echo "python-socketio is missing and cannot be installed here: the right server in Python is not tried. Install the packages python3-socketio and python3-aiohttp to run it."

clean: ## remove what builds and runs left behind
	rm -rf out bin steps/node_modules scenarios/peers/node/node_modules docs/site/node_modules docs/site/staged
