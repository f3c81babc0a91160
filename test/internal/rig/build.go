package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs are what a site runs.
var programs = []string{"master", "imapd", "pop3d", "lmtpd", "idled", "ctl_cyrusdb"}

var build struct {
	once sync.Once
	dir  string
	err  error
}

// Build builds the programs, the first time it is called, and returns their
// directory. GOCYRUS_BIN names one that has them already.
func Build(t testing.TB) string {
	t.Helper()
	build.once.Do(func() { build.dir, build.err = compile() })
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.dir
}

func compile() (string, error) {
	if dir := os.Getenv("GOCYRUS_BIN"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.MkdirTemp("", "gocyrus-bin-")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", dir + "/"}
	for _, p := range programs {
		args = append(args, "gocyrus/cmd/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	// The programs may be run as another user than the one who built them.
	return dir, os.Chmod(dir, 0o755)
}

// Main runs the tests of a package and removes what Build made; it is what
// TestMain calls.
func Main(m *testing.M) {
	code := m.Run()
	if build.dir != "" && os.Getenv("GOCYRUS_BIN") == "" {
		os.RemoveAll(build.dir)
	}
	os.Exit(code)
}
