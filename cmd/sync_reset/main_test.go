package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
	"gocyrus/lib/repair/repairtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sync_reset": main, "mkspool": repairtest.Main})
}

func TestScripts(t *testing.T) { commandtest.Scripts(t) }

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/sync_reset.8") }
