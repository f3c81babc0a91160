# gocyrus: build, try, test, install.
#
#   make run      build, make a site of the embedded defaults, start it, deliver a mail and read it back
#   make test     every test that this machine can run
#   make check    gofmt, vet, staticcheck, race detector, mandoc
#   make bench    side by side with real Cyrus and Dovecot (installs nothing; see docs/benchmarks.md)
#   make install  DESTDIR= PREFIX= LIBEXECDIR= SYSCONFDIR=

GO         ?= go
export CGO_ENABLED := 0
PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/cyrus
MANDIR     ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
DESTDIR    ?=

VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo 0.1)
LDFLAGS := -s -w -X gocyrus/lib/version.Release=$(VERSION) -X gocyrus/lib/version.Libexec=$(LIBEXECDIR) -X gocyrus/lib/version.Sbin=$(SBINDIR)

# Where each program goes: daemons that master starts, tools for administrators, tools for anyone.
DAEMONS := $(filter $(patsubst cmd/%,%,$(wildcard cmd/*)),master imapd pop3d lmtpd idled mupdate sync_server)
USER    := $(filter $(patsubst cmd/%,%,$(wildcard cmd/*)),cyradm imtest)
TOOLS   := $(filter-out $(DAEMONS) $(USER),$(patsubst cmd/%,%,$(wildcard cmd/*)))
PAGES   := $(wildcard man/man[1-8]/*.[1-8])

.PHONY: build run test check bench fuzz man map install clean

build:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

run: build
	sh packaging/run

test:
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

check:
	@test -z "$$(gofmt -l cmd lib)" || { gofmt -l cmd lib; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 40m ./...
	@if command -v mandoc >/dev/null; then mandoc -Tlint -Wwarning $(PAGES); else echo 'mandoc is not installed: pages not checked'; fi

bench: build
	$(GO) run ./test/bench $(BENCHFLAGS)

# Every fuzz target for FUZZTIME.
FUZZTIME ?= 10m
fuzz:
	@$(GO) list ./... | while read pkg; do \
		$(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' | while read f; do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done || exit 1; done

man:
	$(GO) test ./lib/config -run ManPage -update
	mandoc -Tlint -Wwarning $(PAGES)

map:
	@$(GO) list -f '{{.ImportPath}}: {{join .Imports " "}}' ./lib/...

install: build
	install -d $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR)
	for p in $(DAEMONS); do install -m 755 bin/$$p $(DESTDIR)$(LIBEXECDIR)/$$p || exit 1; done
	for p in $(TOOLS); do install -m 755 bin/$$p $(DESTDIR)$(SBINDIR)/$$p || exit 1; done
	for p in $(USER); do install -m 755 bin/$$p $(DESTDIR)$(BINDIR)/$$p || exit 1; done
	for p in pop3test lmtptest; do ln -sf imtest $(DESTDIR)$(BINDIR)/$$p || exit 1; done
	install -m 755 packaging/mupdatepush $(DESTDIR)$(LIBEXECDIR)/mupdatepush
	for l in proxyd:imapd pop3proxyd:pop3d lmtpproxyd:lmtpd; do ln -sf $${l#*:} $(DESTDIR)$(LIBEXECDIR)/$${l%:*} || exit 1; done
	for m in $(PAGES); do d=$(DESTDIR)$(MANDIR)/$$(basename $$(dirname $$m)); install -d $$d && install -m 644 $$m $$d/ || exit 1; done

clean:
	rm -rf bin
