package main

import (
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"sync_client": main}) }

func TestScripts(t *testing.T) { commandtest.Scripts(t) }

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/sync_client.8") }

func TestStatusArgument(t *testing.T) {
	for _, tc := range []struct{ in, want []string }{
		{[]string{"sync_client", "--status"}, []string{"sync_client", "--status=text"}},
		{[]string{"sync_client", "--status=json", "-n", "x"}, []string{"sync_client", "--status=json", "-n", "x"}},
		{[]string{"sync_client", "-u", "--", "--status"}, []string{"sync_client", "-u", "--", "--status"}},
	} {
		if got := statusArgument(tc.in); !slices.Equal(got, tc.want) {
			t.Errorf("statusArgument(%q) = %q; want %q", tc.in, got, tc.want)
		}
	}
}
