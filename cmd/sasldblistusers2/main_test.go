package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/sasldb"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sasldblistusers2": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		return makeStore(filepath.Join(e.WorkDir, "db"))
	}})
}

// makeStore makes a store with a user of each kind.
func makeStore(path string) error {
	st, err := sasldb.Open(path, kv.Create)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Set("alice", "example.com", "secret", true); err != nil {
		return err
	}
	return st.Set("bob", "example.org", "secret", false)
}

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/sasldblistusers2.8") }
