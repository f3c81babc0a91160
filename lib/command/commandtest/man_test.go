package commandtest

import (
	"slices"
	"testing"
)

func TestFlagsOf(t *testing.T) {
	page := ".It Fl C Ar config-file\n.It Fl s Ar version , Fl -since Ns = Ns Ar version\n" +
		".It Fl -force\nText about\n.Fl x\n.It Cm conf\n"
	want := []string{"C", "s", "since", "force"}
	if got := flagsOf(page); !slices.Equal(got, want) {
		t.Errorf("flagsOf = %q, want %q", got, want)
	}
}
