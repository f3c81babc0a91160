package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
	"gocyrus/lib/version"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cyr_buildinfo": main})
}

func TestScripts(t *testing.T) { commandtest.Scripts(t) }

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/cyr_buildinfo.8") }

// TestTrue holds the build information to the programs in the tree.
func TestTrue(t *testing.T) {
	for _, c := range version.Components {
		if c.Binary == "" {
			continue
		}
		_, err := os.Stat(filepath.Join("..", c.Binary, "main.go"))
		if built := err == nil; built != c.Is {
			t.Errorf("component %s is said to be %v, but cmd/%s exists: %v", c.Name, c.Is, c.Binary, built)
		}
	}
}
