package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"imtest": main, "lmtptest": main, "pop3test": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

func TestManPage(t *testing.T) { commandtest.ManPage(t, app("imtest"), "../../man/man1/imtest.1") }
