package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cyr_synclog": main})
}

func TestScripts(t *testing.T) { commandtest.Scripts(t) }

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/cyr_synclog.8") }
