# make            the available targets
# On Debian with Rust, git and make, each target installs the other packages that it needs.

CARGO ?= cargo
PREFIX ?= /usr/local
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
TEST_TOOLS ?= $(TARGET_DIR)/test-tools
MUSL := $(shell uname -m)-unknown-linux-musl
# A static binary starts about 3 times faster. STATIC=no builds a dynamic one.
STATIC ?= $(if $(filter Linux,$(shell uname -s)),yes,no)

# The tool that checks the dependencies, with a pinned version. That version is used from PATH if it
# is there.
CARGO_DENY := 0.20.2
DENY := $(if $(filter cargo-deny $(CARGO_DENY),$(shell cargo-deny --version 2>/dev/null)),$(shell command -v cargo-deny),$(TARGET_DIR)/lint-tools/cargo-deny-$(CARGO_DENY)/bin/cargo-deny)

# Checks the workflows against GitHub's schema.
SCHEMA_TOOL := $(TARGET_DIR)/lint-tools/check-jsonschema/bin/check-jsonschema

INSTALL_TOOL := env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=false $(CARGO) install --quiet --locked --debug

.PHONY: help build test bare-test soak fleet fuzz bench lint advisories miri mutants demo release order show-binary install uninstall deb package-test reproduce clean

help:
	@echo 'make build     build the program'
	@echo 'make test      install what the tests need, run them, run the demonstration'
	@echo 'make bare-test  make demo and make test on a bare Debian, as root; SUITE=NAME of the release'
	@echo 'make soak      the faults of docs/reliability.md, many times over; FILTER=NAME for one'
	@echo 'make fuzz      the parsers with inputs that a fuzzer finds; TARGET=NAME for one, SECONDS=N for each'
	@echo 'make bench     times, beside the least there can be and beside others; writes docs/performance.md'
	@echo 'make fleet     the simulation of docs/fleet.md: 100,000 hosts over a week'
	@echo 'make lint      formatting, lints, documentation, licences, workflows'
	@echo 'make advisories  known weaknesses of what this is made of'
	@echo 'make miri      the rooms without I/O, run by Miri'
	@echo 'make mutants   changes what decides, place by place; some test has to notice; hours'
	@echo 'make demo      the whole story on this machine, against a sandbox'
	@echo 'make install   build for release and install (PREFIX=$(PREFIX), DESTDIR=$(DESTDIR))'
	@echo 'make uninstall remove what that has installed'
	@echo 'make deb       a Debian package, in $(TARGET_DIR)/debian'
	@echo 'make package-test  build, install and run what is shipped'
	@echo 'make order     have the linker put side by side what calls for a token go through'
	@echo 'make reproduce build it in two places and compare the bytes'

build:
	$(CARGO) build --locked

# Most tests wait for processes and do not use the CPU.
test:
	tests/setup.sh '$(TEST_TOOLS)'
	CARGO='$(CARGO)' tests/run.sh '$(TEST_TOOLS)'

# Needs root and debootstrap.
SUITE ?= bookworm

bare-test:
	tests/bare.sh '$(SUITE)'

soak:
	tests/setup.sh '$(TEST_TOOLS)'
	CARGO_TARGET_DIR='$(TARGET_DIR)' tests/soak.sh '$(TEST_TOOLS)' '$(FILTER)'

# How long each parser is fuzzed, in seconds.
SECONDS ?= 60

fuzz:
	CARGO_TARGET_DIR='$(TARGET_DIR)/fuzz' fuzz/run.sh '$(TEST_TOOLS)' '$(SECONDS)' $(TARGET)

# The number of simulated hosts for the results in docs/fleet.md.
FLEET_HOSTS ?= 100000

fleet:
	FLEET_HOSTS=$(FLEET_HOSTS) $(CARGO) test --locked --release --lib -- --nocapture \
		token_provider::tests::fleet::the_figures_of_the_document

lint: $(DENY) $(SCHEMA_TOOL)
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path tests/bench/rust/Cargo.toml --check
	for lock in fuzz tests/bench/rust; do \
		$(CARGO) metadata --quiet --locked --format-version 1 --manifest-path $$lock/Cargo.toml >/dev/null || exit 1; done
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet
	$(DENY) --locked check bans licenses sources
	$(SCHEMA_TOOL) --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

# A new advisory about a dependency is not caused by the current change, so this is not part of
# `lint`.
advisories: $(DENY)
	$(DENY) --locked check advisories

$(SCHEMA_TOOL): tests/lint/requirements.txt
	python3 -m venv --clear '$(abspath $(@D)/..)'
	'$(@D)/python' -m pip install --quiet --no-input --disable-pip-version-check --requirement $<
	touch '$@'

# Built without optimisation: it runs for a second, but an optimised build takes minutes.
$(TARGET_DIR)/lint-tools/cargo-deny-$(CARGO_DENY)/bin/cargo-deny:
	$(INSTALL_TOOL) --version '$(CARGO_DENY)' --root '$(abspath $(@D)/..)' cargo-deny

# Runs the modules that do no I/O under Miri, with the nightly compiler.
MIRI ?= nightly-2026-05-20
MIRI_MODULES := types system::environment cache::digest cache::key cache::entry \
	oauth::response oauth::oauth_error oauth::request oauth::http::proxy config::select config::lifetime protocol curl

miri:
	rustup toolchain install '$(MIRI)' --profile minimal --component miri,rust-src
	$(CARGO) +$(MIRI) miri test --locked --lib --target-dir '$(TARGET_DIR)/miri' -- $(addsuffix ::,$(MIRI_MODULES))

# Changes each decision in the files of MUTATE, one at a time. At least one test must fail for each
# change (docs/mutation.md). Takes hours; MUTATE='FILES' limits it to some files.
CARGO_MUTANTS := 27.1.0
MUTANTS := $(TARGET_DIR)/lint-tools/cargo-mutants-$(CARGO_MUTANTS)/bin/cargo-mutants
MUTATE ?= src/types/uri.rs src/system/tls_roots.rs src/config/*.rs src/cache/*.rs src/oauth/*.rs src/oauth/*/*.rs src/token_provider/*.rs \
	src/token_provider/shared/*.rs src/shared_store/*.rs
MUTANT_TESTS := uri roots profile cache oauth broker fleet exchange hosts helper configuration sources status store \
	login login_keychains logout doctor concurrency attacks network fault_injection::networks shared_store
# Excludes the tests themselves, and the replacements for disabled features.
NOT_MUTATED := src/fuzzing/*.rs src/**/shared_off.rs

$(MUTANTS):
	$(INSTALL_TOOL) --version '$(CARGO_MUTANTS)' --root '$(abspath $(@D)/..)' cargo-mutants

mutants: $(MUTANTS)
	TEST_TOOLS='$(TEST_TOOLS)' $(MUTANTS) mutants --jobs 1 --minimum-test-timeout 120 \
		--output '$(TARGET_DIR)/mutants' $(patsubst %,--file '%',$(MUTATE)) \
		$(patsubst %,--exclude '%',$(NOT_MUTATED)) -- --lib --test it -- $(addsuffix ::,$(MUTANT_TESTS))

demo:
	tests/demo.sh

ifneq ($(STATIC),no)
RELEASE_TARGET := $(MUSL)
BUILT := $(TARGET_DIR)/$(MUSL)/release/cloudconnexa-auth
else
RELEASE_TARGET :=
BUILT := $(TARGET_DIR)/release/cloudconnexa-auth
endif

# PREBUILT=FILE installs or packages that binary instead of building one.
BINARY := $(or $(PREBUILT),$(BUILT))

release:
ifneq ($(STATIC),no)
	packaging/static-toolchain.sh '$(MUSL)'
endif
	@# Cargo does not track these inputs of the build.
	@for script in packaging/*.ld; do if [ $$script -nt '$(BUILT)' ]; then touch src/main.rs; fi; done
	flags=$$(packaging/rustflags.sh '$(TARGET_DIR)' $(RELEASE_TARGET)) && \
		$(CARGO) build --locked --release --config "$$flags" $(addprefix --target ,$(RELEASE_TARGET))

# Prints the path of that file, for scripts.
show-binary:
	@echo '$(BUILT)'

# Regenerates the list of functions that a token request executes.
order:
	$(CARGO) build --quiet --locked --package cloudconnexa-sandbox
	packaging/order.sh '$(TARGET_DIR)' '$(TARGET_DIR)/debug/cloudconnexa-sandbox'

# Measures the shipped binary and the installed alternatives. The server is optimised too, because
# its handshake is part of every cold call.
bench: release
	CARGO_TARGET_DIR='$(TARGET_DIR)/bench' CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		$(CARGO) build --quiet --locked --release --package cloudconnexa-sandbox
	tests/bench/bench.sh '$(BINARY)' '$(TARGET_DIR)/bench/release/cloudconnexa-sandbox'

# git, docker, cargo and pnpm start their helper under these names. Terraform searches only
# ~/.terraform.d/plugins.
LINKS := $(addsuffix -credential-cloudconnexa,git docker cargo pnpm)

# The directories in which shells look for completions, and man for pages.
BASH_COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
ZSH_FUNCTIONS ?= $(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS ?= $(PREFIX)/share/fish/vendor_completions.d
MANDIR ?= $(PREFIX)/share/man
PAPERS ?= $(TARGET_DIR)/papers

install: $(if $(PREBUILT),,release)
	packaging/generate.sh '$(BINARY)' '$(PAPERS)'
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(BASH_COMPLETIONS)' \
		'$(DESTDIR)$(ZSH_FUNCTIONS)' '$(DESTDIR)$(FISH_COMPLETIONS)'
	install -m 755 '$(BINARY)' '$(DESTDIR)$(PREFIX)/bin/cloudconnexa-auth'
	for link in $(LINKS); do ln -sf cloudconnexa-auth "$(DESTDIR)$(PREFIX)/bin/$$link"; done
	install -m 644 '$(PAPERS)'/man1/cloudconnexa-auth*.1 '$(DESTDIR)$(MANDIR)/man1'
	for link in $(LINKS); do \
		ln -sf "cloudconnexa-auth-$${link%%-*}.1" "$(DESTDIR)$(MANDIR)/man1/$$link.1"; done
	install -m 644 '$(PAPERS)/completions/cloudconnexa-auth.bash' \
		'$(DESTDIR)$(BASH_COMPLETIONS)/cloudconnexa-auth'
	install -m 644 '$(PAPERS)/completions/_cloudconnexa-auth' '$(DESTDIR)$(ZSH_FUNCTIONS)'
	install -m 644 '$(PAPERS)/completions/cloudconnexa-auth.fish' '$(DESTDIR)$(FISH_COMPLETIONS)'

uninstall:
	for name in cloudconnexa-auth $(LINKS); do rm -f "$(DESTDIR)$(PREFIX)/bin/$$name"; done
	for name in cloudconnexa-auth $(LINKS); do rm -f "$(DESTDIR)$(MANDIR)/man1/$$name.1"; done
	rm -f '$(DESTDIR)$(MANDIR)'/man1/cloudconnexa-auth-*.1
	rm -f '$(DESTDIR)$(BASH_COMPLETIONS)/cloudconnexa-auth'
	rm -f '$(DESTDIR)$(ZSH_FUNCTIONS)/_cloudconnexa-auth'
	rm -f '$(DESTDIR)$(FISH_COMPLETIONS)/cloudconnexa-auth.fish'

deb: $(if $(PREBUILT),,release)
	packaging/debian/build.sh '$(BINARY)' '$(TARGET_DIR)/debian'

# Tests the release build as it is shipped: installs it and runs it.
package-test:
	tests/packages.sh '$(TARGET_DIR)'

# Checks that the build gives the same bytes in another environment.
reproduce:
	tests/reproduce.sh '$(TARGET_DIR)'

clean:
	$(CARGO) clean
