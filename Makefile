# Vestibule's tasks. `make` alone lists them.

GO       ?= go
HTMX     := 4.0.1
COMMON   := 4.1.3
LUCIDE   := 1.62.0
LOGOS    := 1.2.19
FUZZTIME ?= 50000x
TOOLS    := $(GO) tool -modfile=.ci/tools.mod
# Without cgo, the program needs no C library of the machine it runs on. Everything is
# built the same way, so nothing is compiled twice; the race detector alone needs cgo.
# MessagePack, which Gin would bring and nobody uses, is a seventh of the program.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(GOFLAGS) -trimpath -tags=nomsgpack)
# Without inlining, pages are drawn 5 to 20 % slower, within requests that take longer by
# less than 3 %, and the program is 3 MB smaller.
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -tags nomsgpack -gcflags='./templates/...=-l' -ldflags='-s -w' -o bin/vestibule ./cmd/vestibule

.DEFAULT_GOAL := help
.PHONY: help run dev generate build check test soak lint gosec vuln fuzz bench deps assets clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build, migrate data/vestibule.db and serve on http://localhost:8080
	./bin/vestibule serve

dev: ## serve; reload changed templates at once, and restart after other changes
	$(GO) tool templ generate -watch -log-level warn -watch-pattern '\.(go|templ|txt|css|js|svg|sql)$$|/\.env$$' -ignore-pattern '_test\.go$$' \
		-cmd "$(BUILD) && exec ./bin/vestibule serve"

generate: ## generate Go code from templates/**/*.templ
	$(GO) tool templ generate -log-level error

build: generate ## build bin/vestibule
	$(BUILD)

check: lint ## lint, and test on SQLite without a browser: 2 minutes, after every change
	@GO=$(GO) .ci/test check

test: deps lint gosec ## install what is missing, and run everything a change must pass
	@GO=$(GO) .ci/test test

soak: ## storms, crashes, thousands of connections, every browser variant and long fuzzing
	@.ci/deps soak
	@GO=$(GO) .ci/test soak
	@GO=$(GO) .ci/fuzz $(FUZZTIME)

lint: ## check vet, staticcheck, gofmt, go mod tidy and generated files; changes nothing
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) tool templ generate -check -log-level error

gosec: ## look for insecure code
	$(GO) run -modfile=.ci/tools.mod ./.ci/gosec

vuln: ## look for known vulnerabilities, in the database on vuln.go.dev
	$(TOOLS) govulncheck -test ./...

fuzz: ## run each fuzz target for FUZZTIME=50000x inputs
	@GO=$(GO) .ci/fuzz $(FUZZTIME)

bench: deps build ## compare bin/vestibule with its floors; results are in bin/bench.md and bin/bench.json
	$(GO) build -o bin/bench ./cmd/bench
	./bin/bench -go $(GO) $(BENCH)

deps: ## install Chromium, PostgreSQL, HAProxy and a C compiler for the tests, with apt-get
	@.ci/deps

assets: ## update htmx, the icons and the list of common passwords from the npm registry
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && cd "$$tmp" && \
	npm pack --silent htmx.org@$(HTMX) @zxcvbn-ts/language-common@$(COMMON) lucide-static@$(LUCIDE) @iconify-json/logos@$(LOGOS) >/dev/null && \
	mkdir htmx common lucide logos && tar xzf htmx.org-*.tgz -C htmx && tar xzf zxcvbn-ts-*.tgz -C common && tar xzf lucide-static-*.tgz -C lucide && tar xzf iconify-json-logos-*.tgz -C logos && \
	cp htmx/package/dist/htmx.min.js $(CURDIR)/assets/htmx.min.js && \
	cp htmx/package/LICENSE $(CURDIR)/assets/htmx.LICENSE && \
	node -e 'const long = require("./common/package/src/passwords.json").filter(p => [...p].length >= 8); console.log([...new Set(long.map(p => p.toLowerCase()))].sort().join("\n"))' > common.txt && \
	cp common.txt $(CURDIR)/app/password/common.txt && \
	cp common/package/LICENSE.txt $(CURDIR)/app/password/common.LICENSE && \
	cp lucide/package/LICENSE $(CURDIR)/assets/lucide.LICENSE && \
	cd $(CURDIR) && node .ci/icons.js "$$tmp/lucide/package" "$$tmp/logos/package" && $(GO) tool templ generate -log-level error

clean: ## remove bin; the data stays
	rm -rf bin
