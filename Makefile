# make            what there is
# Everything a fresh Debian 12 with Rust and git needs is installed by the targets themselves.

CARGO ?= cargo
PREFIX ?= /usr/local
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
TEST_TOOLS ?= $(TARGET_DIR)/test-tools
MUSL := $(shell uname -m)-unknown-linux-musl
HAS_MUSL := $(shell rustc --print target-libdir --target $(MUSL) 2>/dev/null | xargs -I{} test -d {} && command -v musl-gcc >/dev/null && echo yes)

.PHONY: help build test lint demo install uninstall clean

help:
	@echo 'make build     build the program'
	@echo 'make test      install what the tests need, run them, run the demonstration'
	@echo 'make lint      formatting, lints, documentation, licences'
	@echo 'make demo      the whole story on this machine, against a sandbox'
	@echo 'make install   build for release and install (PREFIX=$(PREFIX), DESTDIR=$(DESTDIR))'

build:
	$(CARGO) build --locked

# Most tests wait for processes, not for a processor.
test:
	tests/setup.sh '$(TEST_TOOLS)'
	rm -f '$(TEST_TOOLS)/skipped'
	TEST_TOOLS='$(TEST_TOOLS)' $(CARGO) test --locked --workspace -- --test-threads=8
	@if [ -s '$(TEST_TOOLS)/skipped' ]; then \
	echo "test: skipped $$(wc -l < '$(TEST_TOOLS)/skipped') tests:"; \
	sort '$(TEST_TOOLS)/skipped' | uniq -c; \
	else echo 'test: nothing was skipped'; fi
	tests/demo.sh

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet
	@if command -v cargo-deny >/dev/null; then cargo-deny --locked check bans licenses sources; \
	else echo 'lint: cargo-deny is not installed; bans, licences and sources are left to CI'; fi

demo:
	tests/demo.sh

ifeq ($(HAS_MUSL),yes)
RELEASE := --target $(MUSL)
BINARY := $(TARGET_DIR)/$(MUSL)/release/cloudconnexa-auth
else
RELEASE :=
BINARY := $(TARGET_DIR)/release/cloudconnexa-auth
endif

# Under these names git, docker, cargo and pnpm look for their helper. Terraform looks in
# ~/.terraform.d/plugins only.
LINKS := $(addsuffix -credential-cloudconnexa,git docker cargo pnpm)

install:
ifneq ($(HAS_MUSL),yes)
	@echo 'install: $(MUSL) or musl-gcc is not here, so the binary is a dynamic one;'
	@echo 'install: for a static one: rustup target add $(MUSL), and the package musl-tools'
endif
	$(CARGO) build --locked --release $(RELEASE)
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 '$(BINARY)' '$(DESTDIR)$(PREFIX)/bin/cloudconnexa-auth'
	for link in $(LINKS); do ln -sf cloudconnexa-auth "$(DESTDIR)$(PREFIX)/bin/$$link"; done

uninstall:
	for name in cloudconnexa-auth $(LINKS); do rm -f "$(DESTDIR)$(PREFIX)/bin/$$name"; done

clean:
	$(CARGO) clean
