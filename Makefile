# keepalive-policy: the front door. `make` alone lists what there is.

PREFIX  ?= /usr/local
DESTDIR ?=
CARGO   ?= cargo

# What gets installed. A binary that is named on the command line is taken as it is.
built   := $(or $(CARGO_TARGET_DIR),target)/release/keepalive-policy
BINARY  ?= $(built)

bindir     = $(PREFIX)/bin
unitdir    = $(PREFIX)/lib/systemd/system
userunitdir = $(PREFIX)/lib/systemd/user
mandir     = $(PREFIX)/share/man
catalogdir = $(PREFIX)/lib/systemd/catalog
docdir     = $(PREFIX)/share/doc/keepalive-policy
# The daemon reads this one path, whatever the prefix.
policy     = /etc/keepalive-policy.toml

sources  := Cargo.toml Cargo.lock $(shell find src -name '*.rs')
scripts  := .ci/run $(wildcard packaging/*.sh tests/host/*.sh tests/oracle/*.sh tests/oracle_ssh/*.sh)
manpages := $(wildcard packaging/man/*.[1-8])

.PHONY: help
help: ## this list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: deps-build $(BINARY) ## the release binary

$(built): $(sources)
	@if command -v $(CARGO) >/dev/null; then \
	    echo "$(CARGO) build --release --locked"; $(CARGO) build --release --locked; \
	elif [ -x $@ ]; then \
	    echo "no $(CARGO) here: $@ is taken as it was built"; \
	else \
	    echo "no $(CARGO) here and no $@: a Rust toolchain is needed to build it" >&2; exit 1; \
	fi

.PHONY: demo
demo: deps-demo $(BINARY) ## five real drifts undone, on a throw-away host
	@KEEPALIVE_POLICY=$(abspath $(BINARY)) tests/host/demo.sh

.PHONY: test
test: deps-test lint audit check-unit check-man ## everything that must hold, in under fifteen minutes
	$(CARGO) test --locked

.PHONY: test-long
test-long: deps-test $(BINARY) ## 200 drifts under a client that connects all the time, an hour of random ones, a minute of rest
	KEEPALIVE_POLICY=$(abspath $(BINARY)) tests/host/storm.sh 200
	KEEPALIVE_POLICY=$(abspath $(BINARY)) tests/host/soak.sh 3600
	KEEPALIVE_POLICY=$(abspath $(BINARY)) tests/host/idle.sh 60

.PHONY: test-machine
test-machine: deps-machine $(BINARY) ## the unit's limits of memory and tasks, in an emulated machine: some minutes
	KEEPALIVE_POLICY=$(abspath $(BINARY)) tests/host/machine.sh

.PHONY: lint
lint: deps-test ## formatting, clippy, shellcheck
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	shellcheck -x $(scripts)

.PHONY: audit
audit: deps-test ## licences, bans and sources of the dependencies, without the network
	$(CARGO) fetch --locked --quiet
	$(CARGO) deny --offline --locked check licenses bans sources

.PHONY: check-unit
check-unit: deps-test ## what systemd says of the unit, and how exposed it is
	packaging/check-unit.sh

.PHONY: check-man
check-man: deps-test ## what man says of the manual pages
	packaging/check-man.sh $(manpages)

.PHONY: fuzz-oracle
fuzz-oracle: deps-test ## a long comparison with the real sshd, ssh, systemd-sysctl and procps
	KEEPALIVE_ORACLE_TREES=$${KEEPALIVE_ORACLE_TREES:-10000} \
	    $(CARGO) test --locked --release --test oracle_sshd --test oracle_ssh --test oracle_sysctl

.PHONY: fuzz
fuzz: deps-fuzz ## coverage-guided fuzzing of the syntax of sshd_config, for ten minutes
	mkdir -p tests/fuzz/target/found
	$(CARGO) fuzz run --sanitizer none --fuzz-dir tests/fuzz syntax \
	    tests/fuzz/target/found tests/fuzz/corpus/syntax -- \
	    -max_total_time=$${KEEPALIVE_FUZZ_SECONDS:-600} -timeout=10 -max_len=4096

.PHONY: bench
bench: deps-demo ## how fast, as ratios to a bare floor measured in the same run
	$(CARGO) bench --locked --bench enforcement

.PHONY: deps deps-build deps-demo deps-test deps-machine deps-fuzz
deps: deps-test ## what building, demo and test need, by Debian's packages
deps-build deps-demo deps-test deps-machine deps-fuzz: deps-%:
	@packaging/deps.sh $*

.PHONY: fmt
fmt: ## format the code
	$(CARGO) fmt

# Only for this machine itself: a tree (DESTDIR) is read by the systemd that boots it.
tell-systemd = if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then \
    systemctl daemon-reload; journalctl --update-catalog; fi

.PHONY: install
install: $(BINARY) ## into $(DESTDIR)$(PREFIX); enables and starts nothing
	install -D -m 0755 $(BINARY) $(DESTDIR)$(bindir)/keepalive-policy
	install -d -m 0755 $(DESTDIR)$(unitdir) $(DESTDIR)$(userunitdir)
	sed 's|^\(Exec[A-Za-z]*=\)/usr/bin/|\1$(bindir)/|' systemd/keepalive-policy.service \
	    >$(DESTDIR)$(unitdir)/keepalive-policy.service
	sed 's|^\(Exec[A-Za-z]*=\)/usr/bin/|\1$(bindir)/|' systemd/user/keepalive-policy.service \
	    >$(DESTDIR)$(userunitdir)/keepalive-policy.service
	chmod 0644 $(DESTDIR)$(unitdir)/keepalive-policy.service $(DESTDIR)$(userunitdir)/keepalive-policy.service
	install -D -m 0644 systemd/keepalive-policy.catalog $(DESTDIR)$(catalogdir)/keepalive-policy.catalog
	install -D -m 0644 systemd/witness.conf $(DESTDIR)$(docdir)/witness.conf
	@set -e; for page in $(manpages); do \
	    install -v -D -m 0644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done
	install -D -m 0644 config.example.toml $(DESTDIR)$(docdir)/config.example.toml
	install -m 0644 systemd/named-namespaces.conf $(DESTDIR)$(docdir)/named-namespaces.conf
	@if [ -e $(DESTDIR)$(policy) ]; then echo "$(policy) is there already, left as it is"; \
	else install -v -D -m 0644 config.example.toml $(DESTDIR)$(policy); fi
	@$(tell-systemd)

.PHONY: uninstall
uninstall: ## stops it, puts back what it changed on the host, removes what install put there
	@DESTDIR=$(DESTDIR) packaging/before-uninstall.sh $(bindir)/keepalive-policy
	rm -f $(DESTDIR)$(bindir)/keepalive-policy $(DESTDIR)$(unitdir)/keepalive-policy.service \
	    $(DESTDIR)$(userunitdir)/keepalive-policy.service
	@for page in $(notdir $(manpages)); do rm -fv $(DESTDIR)$(mandir)/man$${page##*.}/$$page; done
	@if cmp -s config.example.toml $(DESTDIR)$(policy); then rm -fv $(DESTDIR)$(policy); \
	elif [ -e $(DESTDIR)$(policy) ]; then echo "$(policy) was changed since it was installed, left as it is"; fi
	rm -f $(DESTDIR)$(docdir)/config.example.toml $(DESTDIR)$(docdir)/named-namespaces.conf $(DESTDIR)$(docdir)/witness.conf
	rm -f $(DESTDIR)$(catalogdir)/keepalive-policy.catalog
	-rmdir $(DESTDIR)$(docdir)
	@$(tell-systemd)
