package cyrustest

import (
	"os"
	"os/user"
	"testing"
)

// Where Debian's packages put Cyrus; CYRUS_BIN and CYRUS_MASTER name others.
func realBin() string    { return envOr("CYRUS_BIN", "/usr/lib/cyrus/bin") }
func realMaster() string { return envOr("CYRUS_MASTER", "/usr/sbin/cyrmaster") }

func envOr(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// Real runs the installed Cyrus until the end of the test, on new directories
// or those of o.Dir, which it makes cyrus's. Any password is right. Without
// root or Cyrus the test is skipped.
func Real(t testing.TB, o Options) *Server {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: real Cyrus changes to the user cyrus")
	}
	for _, file := range []string{realMaster(), realBin() + "/imapd"} {
		if _, err := os.Stat(file); err != nil {
			t.Skipf("real Cyrus is not installed: %v", err)
		}
	}
	if _, err := user.Lookup("cyrus"); err != nil {
		t.Skipf("real Cyrus needs its user: %v", err)
	}
	s := newServer(t, o)
	s.real, s.Bin, s.prog = true, realBin(), realMaster()
	s.o.Args = withoutAbsent(o.Args)
	s.setUp()
	t.Cleanup(s.finish)
	s.Resume()
	s.addUsers()
	return s
}

// withoutAbsent leaves out services whose program is not installed: pop3d and
// others are packages of their own.
func withoutAbsent(args map[string]string) map[string]string {
	all := map[string]string{}
	for name, a := range args {
		all[name] = a
	}
	if _, err := os.Stat(realBin() + "/pop3d"); err != nil {
		all["pop3"], all["pop3s"] = "-", "-"
	}
	return all
}
