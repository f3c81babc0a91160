package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
)

// slapdConf is a server that has people and lets everybody read.
const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile $cert
TLSCertificateKeyFile $key
pidfile $dir/pid
database mdb
suffix dc=example,dc=org
directory $dir/db
`

// startLDAP starts OpenLDAP with entries, and returns where.
func startLDAP(t *testing.T, path, entries string, cert *cyrustest.Server) string {
	t.Helper()
	dir := t.TempDir()
	conf := strings.NewReplacer("$dir", dir, "$cert", cert.CAFile, "$key", cert.Path("key.pem")).Replace(slapdConf)
	place(t, dir, "slapd.conf", conf)
	place(t, dir, "ldif", entries)
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, program(t, "slapadd"), "-f", dir+"/slapd.conf", "-l", dir+"/ldif")
	addr := cyrustest.FreeAddress(t) // 127.0.0.1, which the certificate is for
	var said strings.Builder
	// With -d it stays in the foreground.
	cmd := exec.Command(path, "-f", dir+"/slapd.conf", "-h", "ldap://"+addr, "-d", "0")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // how it ends is no matter of ours
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(cyrustest.Patience):
			cmd.Process.Kill()
			t.Error("slapd did not end")
		}
		if t.Failed() {
			t.Logf("slapd said %s", &said)
		}
	})
	waitFor(t, addr)
	return addr
}
