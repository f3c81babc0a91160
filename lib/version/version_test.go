package version

import (
	"strings"
	"testing"
)

func TestString(t *testing.T) {
	defer func(old string) { Release = old }(Release)
	Release = "1.2"
	if got, want := String(), "3.10.3-gocyrus-1.2"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got, want := Product(), "cyrus-imapd 3.10.3-gocyrus-1.2"; got != want {
		t.Errorf("Product() = %q, want %q", got, want)
	}
}

func TestGo(t *testing.T) {
	if got := Go(); !strings.HasPrefix(got, "go1.") && !strings.HasPrefix(got, "devel ") {
		t.Errorf("Go() = %q, want a Go release", got)
	}
}
