package synclog

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/synclog"
)

const (
	writerConf = "GOCYRUS_SYNCLOG_WRITER" // imapd.conf of a child that writes
	writerName = "GOCYRUS_SYNCLOG_NAME"
	entries    = 100
)

// TestMain is, in a child, one who writes to the log.
func TestMain(m *testing.M) {
	conf := os.Getenv(writerConf)
	if conf == "" {
		os.Exit(m.Run())
	}
	cfg, err := config.Load(conf, "test")
	if err != nil {
		panic(err)
	}
	l := synclog.New(synclog.OptionsFrom(cfg))
	for i := 1; i <= entries; i++ {
		l.Write(synclog.Mailbox("user.same"), synclog.Sub(os.Getenv(writerName), mboxname.Name(fmt.Sprint(i))))
	}
	if err := l.Close(); err != nil {
		panic(err)
	}
}

// realSynclog is Cyrus's own cyr_synclog; without it and root the test is skipped.
func realSynclog(t *testing.T) (path string, cred *syscall.Credential) {
	t.Helper()
	bin := os.Getenv("CYRUS_BIN")
	if bin == "" {
		bin = "/usr/lib/cyrus/bin"
	}
	path = filepath.Join(bin, "cyr_synclog")
	if _, err := os.Stat(path); err != nil || os.Getuid() != 0 {
		t.Skipf("needs root and the real cyr_synclog: %v", err)
	}
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Skip(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return path, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// TestTogetherWithCyrus has real programs of Cyrus and ours write to one log while
// ours takes it away: no entry is lost.
func TestTogetherWithCyrus(t *testing.T) {
	real, cred := realSynclog(t)
	dir, err := os.MkdirTemp("", "synclog")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "imapd.conf")
	text := fmt.Sprintf("configdirectory: %s\npartition-default: %s/spool\nsync_log: yes\n", dir, dir)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(conf, "test")
	if err != nil {
		t.Fatal(err)
	}
	// Where cyrus may run it.
	self := filepath.Join(dir, "writer")
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, program, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"real1": entries, "real2": entries, "ours1": entries, "ours2": entries}
	ended := make(chan error, len(want))
	for name := range want {
		cmd := exec.Command(self)
		if strings.HasPrefix(name, "real") {
			cmd = exec.Command("/bin/sh", "-c", fmt.Sprintf("for i in $(seq %d); do %s -C %s -b %s $i || exit 1; done", entries, real, conf, name))
		}
		cmd.Env = append(os.Environ(), writerConf+"="+conf, writerName+"="+name)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
		go func() { ended <- cmd.Run() }()
	}
	got := map[string]int{}
	for left := len(want); left > 0; {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			left--
		case <-time.After(time.Millisecond):
		}
		collect(t, synclog.OptionsFrom(cfg), got)
	}
	collect(t, synclog.OptionsFrom(cfg), got)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: %d entries of %d", name, got[name], n)
		}
	}
}

// collect takes the log and counts the entries of each writer.
func collect(t *testing.T, o synclog.Options, got map[string]int) {
	t.Helper()
	taken, err := synclog.Take(o, "")
	if err != nil {
		t.Fatal(err)
	}
	if taken == nil {
		return
	}
	b, err := taken.Batch()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Subs {
		got[s.User]++
	}
	if err := taken.Done(); err != nil {
		t.Fatal(err)
	}
}
