package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"saslpasswd2": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/saslpasswd2.8") }
