# Every target with a comment of two hashes is shown by `make help`.

GO    ?= go
LINT  := $(GO) tool -modfile=tools/go.mod golangci-lint
COUNT ?= 6# repetitions of a benchmark: what benchstat needs for an interval

# Version stamping fails where git is missing or distrusts the folder's owner.
STAMP := $(shell git status --porcelain >/dev/null 2>&1 || echo -buildvcs=false)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run test check race truth torture soak memory lint fmt fuzz bench calibrate cover golden build screenshots pictures image

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

demo: build ## a simulated live platform through the real program; installs PostgreSQL if missing
	@scripts/need.sh postgresql
	@exec ./bin/splitcast demo

run: build ## the server with a private PostgreSQL, or with DATABASE_URL
	@test -n "$$DATABASE_URL" || scripts/need.sh postgresql
	@exec ./bin/splitcast serve

test: ## all tests; installs PostgreSQL and Chromium if missing
	@scripts/need.sh go postgresql chromium
	@scripts/npm.sh || [ $$? -eq 3 ] # without npm the tests that need its packages are skipped
	$(GO) test ./...

check: lint race truth fuzz ## everything that CI runs: lint, tests with -race, short fuzzing, the peers in bench
	cd bench && $(GO) vet ./... && $(GO) test ./...

race: ## the tests with the race detector, but for those of `make truth`; nothing is skipped for want of PostgreSQL
	@scripts/need.sh go cc postgresql chromium
	@scripts/npm.sh || [ $$? -eq 3 ]
	CGO_ENABLED=1 SPLITCAST_REQUIRE_POSTGRES=1 $(GO) test -race -timeout 15m ./...

truth: ## without the race detector, what it is too slow for: every page in a browser, whole populations, simulated experiments, the demo's two weeks and its truths
	@scripts/need.sh go postgresql chromium
	@scripts/npm.sh || [ $$? -eq 3 ]
	scripts/truth.sh

torture: ## kill server, job and PostgreSQL for seven minutes or more under load; then count
	@scripts/need.sh go postgresql
	SPLITCAST_REQUIRE_POSTGRES=1 SPLITCAST_TORTURE=1 $(GO) test -count 1 -timeout 1h -v -run TestNothingIsLostOrCountedTwice .

soak: ## an hour of evaluations with a publish every second: no failure, no growth
	@scripts/need.sh go postgresql
	SPLITCAST_REQUIRE_POSTGRES=1 SPLITCAST_SOAK=1h $(GO) test -count 1 -timeout 90m -v -run TestSoak .

memory: ## resident memory of a server with 5,000 experiments: after its start, and after publishes
	@scripts/need.sh go postgresql
	SPLITCAST_REQUIRE_POSTGRES=1 SPLITCAST_MEMORY=1 $(GO) test -count 1 -timeout 10m -v -run TestManyExperimentsStaySmall .

lint: ## gofumpt, goimports, go vet and the linters of .golangci.yml
	$(LINT) run ./...

fmt: ## format all Go files
	$(LINT) fmt ./...

fuzz: ## fuzz every target for 5 s
	scripts/fuzz.sh 5

bench: ## all benchmarks, and assignment beside its peers, as benchstat tables
	@scripts/need.sh go postgresql && mkdir -p bin
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 2h ./... >bin/bench.txt
	cd bench && $(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) -cpu 1 . >../bin/bench-peers.txt
	$(GO) tool -modfile=tools/go.mod benchstat bin/bench.txt
	$(GO) tool -modfile=tools/go.mod benchstat bin/bench-peers.txt

calibrate: ## every statistical method under every design of docs/calibration.md, written anew; then A/A and power through the whole product
	@scripts/need.sh go postgresql
	SPLITCAST_CALIBRATE=full $(GO) test -count 1 -timeout 3h -run 'TestCalibration$$' -v ./stats
	SPLITCAST_CALIBRATE=full SPLITCAST_REQUIRE_POSTGRES=1 $(GO) test -count 1 -timeout 1h -run 'TestPipeline' -v .

cover: ## coverage of all packages by all tests
	@scripts/need.sh go postgresql chromium
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -func coverage.out | tail -n 1

golden: ## rewrite the golden files; review the difference like code
	$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n 1 dirname | sort -u) -update

build: ## bin/splitcast: one static binary
	@scripts/need.sh go
	CGO_ENABLED=0 $(GO) build -trimpath $(STAMP) -o bin/splitcast .

screenshots: ## the pictures of README from the demo, into docs; about two minutes
	@scripts/need.sh go postgresql chromium
	SPLITCAST_REQUIRE_POSTGRES=1 SPLITCAST_PICTURES=$(CURDIR)/docs $(GO) test -count 1 -timeout 30m -v -run TestScreenshots .

pictures: ## pictures of all pages of the tests at all widths and themes, into bin/screenshots
	@scripts/need.sh go chromium && mkdir -p bin/screenshots
	SPLITCAST_SCREENSHOTS=$(CURDIR)/bin/screenshots $(GO) test -count 1 ./web

image: ## the container image splitcast
	docker build -t splitcast .
