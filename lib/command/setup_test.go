package command

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

func TestSetup(t *testing.T) {
	t.Setenv("CYRUS_USER", "root")
	mask := unix.Umask(0o22)
	t.Cleanup(func() { unix.Umask(mask) })
	name := filepath.Join(t.TempDir(), "imapd.conf")
	if err := os.WriteFile(name, []byte("configdirectory: /c\numask: 027\nadmins: a\ntool_admins: b\ndebug: yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var admins string
	var debugging bool
	app := &cli.App{Name: "tool", Flags: []cli.Flag{ConfigFlag}, Action: func(c *cli.Context) error {
		cfg, err := Setup(c, "tool")
		if err != nil {
			return err
		}
		admins, debugging = cfg.Str("admins"), log.Debugging()
		return nil
	}}
	if code := Run(app, []string{"tool", "-C" + name}); code != 0 {
		t.Fatalf("status %d", code)
	}
	if got := unix.Umask(0o22); admins != "b" || got != 0o27 || !debugging {
		t.Errorf("admins %q, umask %o, debug %v; want b, 27, true", admins, got, debugging)
	}
}

func TestSetupWithoutFile(t *testing.T) {
	app := &cli.App{Name: "tool", Flags: []cli.Flag{ConfigFlag}, ErrWriter: io.Discard, Action: func(c *cli.Context) error {
		_, err := Setup(c, "tool")
		return err
	}}
	if code := Run(app, []string{"tool", "-C", filepath.Join(t.TempDir(), "none")}); code != ExConfig {
		t.Errorf("status %d, want 78", code)
	}
}
