package cyrustest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"gocyrus/lib/config"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

// AfterCrash tolerates what a server that was killed may leave: message files
// that no index knows yet, which the next append overwrites, and usage of quota
// roots that was charged for what did not happen.
func AfterCrash(f repair.Finding) bool { return f.Kind == repair.Extra || f.Kind == repair.Quota }

// finish stops the server, checks what it leaves, and shows the log of a test
// that failed.
func (s *Server) finish() {
	s.t.Helper()
	if s.proc != nil {
		if err := s.Stop(); err != nil {
			s.t.Errorf("master: %v", err)
		}
	}
	if !s.real {
		s.checkLog()
		if !s.o.Unchecked {
			s.CheckSpool()
		}
	}
	if s.t.Failed() {
		text, err := os.ReadFile(s.Log)
		s.t.Logf("log of the server: %v\n%s", err, tail(string(text), 40000))
	}
}

// tail is the end of a long text.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return "...\n" + text[len(text)-n:]
}

// checkLog fails the test when a service panicked, which costs a session at
// worst and is a bug at any rate.
func (s *Server) checkLog() {
	s.t.Helper()
	text, err := os.ReadFile(s.Log)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "panic") {
			s.t.Errorf("the server's log: %s", line)
		}
	}
}

// CheckSpool fails the test for what is wrong with the spool and not tolerated.
func (s *Server) CheckSpool() {
	s.t.Helper()
	for _, f := range s.Findings() {
		if s.o.Tolerate == nil || !s.o.Tolerate(f) {
			s.t.Errorf("the spool is inconsistent: %s: %s", f.Kind, f)
		}
	}
}

// Findings checks every mailbox, messages included, and every quota root. The
// server may be running.
func (s *Server) Findings() []repair.Finding {
	s.t.Helper()
	findings, err := s.findings()
	if err != nil {
		s.t.Errorf("check of the spool: %v", err)
	}
	return findings
}

func (s *Server) findings() ([]repair.Finding, error) {
	st, err := s.openSite()
	if err != nil {
		return nil, err
	}
	findings, err := repair.CheckSite(context.Background(), st, repair.CheckOptions{Content: true})
	err = errors.Join(err, st.Close())
	// What the check makes, such as lock files, is root's otherwise.
	s.give()
	return findings, err
}

// OpenSite opens the stores in this process, beside the server or when it is
// stopped. The caller closes them.
func (s *Server) OpenSite() *site.Site {
	s.t.Helper()
	st, err := s.openSite()
	if err != nil {
		s.t.Fatal(err)
	}
	return st
}

func (s *Server) openSite() (*site.Site, error) {
	cfg, err := config.Load(s.Conf, "cyrustest")
	if err != nil {
		return nil, err
	}
	st, err := site.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Dir, err)
	}
	return st, nil
}
