package command

import (
	"errors"
	"os"
	"strings"
	"testing"

	"gocyrus/lib/config"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader("configdirectory: /var/lib/imap\n"+text), "imapd.conf", "test")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestUser(t *testing.T) {
	for _, tc := range []struct{ name, env, conf, want string }{
		{"default", "", "", "cyrus"},
		{"option", "", "cyrus_user: imap\n", "imap"},
		{"environment wins", "mail", "cyrus_user: imap\n", "mail"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("CYRUS_USER", tc.env)
			if got := User(parse(t, tc.conf)); got != tc.want {
				t.Errorf("User = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBecome(t *testing.T) {
	t.Setenv("CYRUS_USER", "root")
	if err := Become(parse(t, "")); err != nil {
		t.Errorf("Become as root: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root becomes anyone")
	}
	t.Setenv("CYRUS_USER", "no-such-user")
	err := Become(parse(t, ""))
	var coder interface{ ExitCode() int }
	if !errors.Is(err, errUser) || !errors.As(err, &coder) || coder.ExitCode() != ExUsage {
		t.Errorf("Become as nobody known: %v; want %v with status 64", err, errUser)
	}
}
