package replication

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/relaytest"
)

// A kind is whose server it is.
type kind string

const (
	ours kind = "ours"
	real kind = "real"
)

// A site is a running server that can be master and replica.
type site struct {
	*cyrustest.Server
	t     testing.TB
	kind  kind
	name  string // what reports call it
	sync  string // address of sync_server
	sieve string // of timsieved, of the real Cyrus alone
}

// lines are imapd.conf beyond what cyrustest has; a site's own come after.
var lines = []string{
	"partition-second: $dir/spool2",
	"sasl_pwcheck_method: alwaystrue",
	"sasl_mech_list: PLAIN",
	"altnamespace: no",
	"virtdomains: userid",
	"defaultdomain: example.com",
	"allowusermoves: yes",
	"autocreate_quota: -1",
	"sync_log: yes",
	"sync_try_imap: 0",
	"sync_authname: cyrus",
	"sync_password: secret",
	"sync_repeat_interval: 0",
	"sync_reconnect_maxwait: 1s",
	"sievedir: $dir/conf/sieve",
	"popminpoll: 0",
	"conversations: no",
}

// newSite starts a server; own are lines of its imapd.conf.
func newSite(t testing.TB, k kind, name string, own ...string) *site {
	t.Helper()
	s := &site{t: t, kind: k, name: name, sync: cyrustest.FreeAddress(t), sieve: cyrustest.FreeAddress(t)}
	o := cyrustest.Options{
		Dir:      serverDir(t),
		Imapd:    append(append([]string{"servername: " + name + ".example.com"}, lines...), own...),
		Args:     map[string]string{"imaps": "-", "pop3s": "-", "lmtpunix": "-"},
		Tolerate: cyrustest.AfterCrash,
	}
	services := []string{fmt.Sprintf(`sync cmd="$bin/sync_server -C $conf" listen="%s"`, s.sync)}
	if k == real {
		needReplication(t)
		services = append(services, fmt.Sprintf(`sieve cmd="$bin/timsieved -C $conf" listen="%s"`, s.sieve))
	}
	o.Entries = map[string][]string{"SERVICES": services}
	if k == real {
		s.Server = cyrustest.Real(t, o)
	} else {
		s.Server = cyrustest.Start(t, o)
	}
	return s
}

// serverDir is a directory with what cyrustest does not make in it.
func serverDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	// The services may run as another user.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "spool2"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// needReplication skips the test when cyrus-replication is not installed; the
// rest cyrustest looks for.
func needReplication(t testing.TB) {
	t.Helper()
	for _, name := range []string{"sync_client", "sync_server", "timsieved"} {
		if _, err := os.Stat(filepath.Join("/usr/lib/cyrus/bin", name)); err != nil {
			t.Skipf("cyrus-replication and cyrus-imapd are not installed: %v", err)
		}
	}
}

// A link is the way from a master to a replica, through a relay.
type link struct {
	*relaytest.Relay
	t        testing.TB
	from, to *site
	channel  string // of the sync log, "" for the default
}

func newLink(from, to *site) *link { return newLinkTo(from, to, to.sync) }

// newLinkTo is newLink to another address of the replica.
func newLinkTo(from, to *site, addr string) *link {
	return &link{t: from.t, from: from, to: to, Relay: relaytest.New(from.t, addr)}
}

// with is the link for a part of a test.
func (l *link) with(t testing.TB) *link {
	part := *l
	part.t = t
	return &part
}

// args are the arguments by which sync_client takes this link.
func (l *link) args(mode ...string) []string {
	args := []string{"-v", "-S", l.Addr()}
	if l.channel != "" {
		args = append(args, "-n", l.channel)
	}
	return append(args, mode...)
}

// run runs sync_client once, on the master, and returns what it said and its
// status. It connects once, if it is ours: there 3.6 does not do as it says.
func (l *link) run(mode ...string) (string, int) {
	l.t.Helper()
	out, status, err := l.from.TryTool("", "sync_client", l.args(append([]string{"-o"}, mode...)...)...)
	if err != nil {
		out += err.Error()
	}
	return out, status
}

// must is run that has to succeed.
func (l *link) must(mode ...string) string {
	l.t.Helper()
	out, status := l.run(mode...)
	if status != 0 {
		l.t.Fatalf("%s: sync_client %s: status %d\n%s", l, strings.Join(mode, " "), status, out)
	}
	return out
}

func (l *link) String() string { return l.from.name + " to " + l.to.name }

// logFile is the file of the link's channel.
func (l *link) logFile() string { return l.from.Path(filepath.Join("conf/sync", l.channel, "log")) }

// dirty says whether lines wait to be replicated. Between the two looks a log
// can only become a log-run.
func (l *link) dirty() bool {
	for _, name := range []string{l.logFile(), l.logFile() + "-run"} {
		if _, err := os.Stat(name); err == nil {
			return true
		}
	}
	return false
}

// drain runs the log until it is empty. The client says nothing of a failure
// but keeps the log.
func (l *link) drain() {
	l.t.Helper()
	var out string
	for range 5 {
		if !l.dirty() {
			return
		}
		out = l.must("-R", "-1")
	}
	if l.dirty() {
		text, err := os.ReadFile(l.logFile() + "-run")
		l.t.Fatalf("%s: the log is not done after five runs: %v\n%s\n%s", l, err, text, out)
	}
}

// nextSecond waits for the next second: times are kept in seconds. The clock of
// time(2) is up to a tick behind.
func (s *site) nextSecond() {
	next := time.Unix(time.Now().Unix()+1, 0).Add(20 * time.Millisecond)
	s.Eventually("the next second", func() bool { return time.Now().After(next) })
}

// give makes a file the owner's of the spool.
func (s *site) give(path string) {
	s.t.Helper()
	if os.Getuid() != 0 {
		return
	}
	var st syscall.Stat_t
	err := syscall.Stat(s.Path("spool"), &st)
	if err == nil {
		err = os.Chown(path, int(st.Uid), int(st.Gid))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// command is a program of the site's that a test starts itself, as the owner of
// the spool.
func (s *site) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(s.Tool(name), append([]string{"-C", s.Conf}, args...)...)
	cmd.Dir = "/"
	var st syscall.Stat_t
	if err := syscall.Stat(s.Path("spool"), &st); err != nil {
		s.t.Fatal(err)
	}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: st.Uid, Gid: st.Gid}}
	}
	return cmd
}
