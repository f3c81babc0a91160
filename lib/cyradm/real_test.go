package cyradm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRealCyradm runs testdata/all.cyradm by Cyrus's cyradm and by ours,
// each against a server of Cyrus's that is new, and compares what they print,
// command by command.
func TestRealCyradm(t *testing.T) {
	const program = "/usr/bin/cyradm"
	if _, err := os.Stat(program); err != nil {
		t.Skipf("Cyrus's cyradm is not installed: %v", err)
	}
	text, err := os.ReadFile("testdata/all.cyradm")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(text), "\n") // Cyrus has no comments

	wantOut, wantErr := cyrusRun(t, program, realServer(t), script)
	gotOut, gotErr := ourRun(t, realServer(t), script)
	cmds := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	want, got := answers(wantOut, cmds), answers(gotOut, cmds)
	if len(want) != len(cmds)+1 || len(got) != len(want) {
		t.Fatalf("%d prompts of Cyrus's, %d of ours, for %d commands", len(want), len(got), len(cmds))
	}
	for i, cmd := range cmds {
		if w, g := alike(cmd, want[i]), alike(cmd, got[i]); w != g {
			t.Errorf("%s: printed\n%swant\n%s", cmd, g, w)
		}
	}
	if gotErr != wantErr {
		t.Errorf("complained\n%s\nwant\n%s", gotErr, wantErr)
	}
}

func cyrusRun(t *testing.T, program, port, script string) (out, complaints string) {
	t.Helper()
	cmd := exec.Command(program, "--norc", "--user", "cyrus", "--password", "x", "--port", port, "127.0.0.1")
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TERM=dumb", "COLUMNS=79")
	cmd.Stdin = strings.NewReader(script)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, &e)
	}
	return o.String(), e.String()
}

func ourRun(t *testing.T, port, script string) (out, complaints string) {
	t.Helper()
	s := &testShell{}
	s.Shell = &Shell{Out: &s.out, Err: &s.err, Env: os.Getenv,
		Login: Login{User: "cyrus", Password: func() (string, error) { return "x", nil }}}
	t.Setenv("COLUMNS", "79")
	defer s.Close()
	if err := s.Connect(context.Background(), "127.0.0.1", port); err != nil {
		t.Fatal(err)
	}
	if err := s.Authenticate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if status, exited := s.Script(strings.NewReader(script)); status != 0 || exited {
		t.Errorf("status %d, exited %v", status, exited)
	}
	return s.out.String(), s.err.String()
}

var prompts = regexp.MustCompile(`(?:127\.0\.0\.1|cyradm)> `)

// answers cuts output at the prompts and takes the echo away, which Cyrus's has
// only where Perl has a readline.
func answers(out string, cmds []string) []string {
	parts := prompts.Split(out, -1)[1:]
	for i := range parts {
		if i < len(cmds) {
			parts[i] = strings.TrimPrefix(parts[i], cmds[i]+"\n")
		}
	}
	return parts
}

var changing = []*regexp.Regexp{
	regexp.MustCompile(`(lastupdate|uniqueid|freespace|most|total): .*`),
	regexp.MustCompile(`()/[0-9A-F]{8} `),
}

// alike leaves out what no two runs have in common, the order of a Perl hash,
// and the blank that Cyrus's leaves after a NIL from the midst of an answer.
func alike(cmd, out string) string {
	for _, re := range changing {
		out = re.ReplaceAllString(out, "$1")
	}
	lines := strings.SplitAfter(out, "\n")
	switch word, _, _ := strings.Cut(cmd, " "); word {
	case "lam", "listacl":
		slices.Sort(lines)
	case "info", "getmd", "getmetadata":
		for i, l := range lines {
			lines[i] = strings.ReplaceAll(l, "NIL \n", "NIL\n")
		}
	}
	return strings.Join(lines, "")
}

// realServer starts Cyrus's master and imapd in a directory of their own, which
// take any password, and returns the port.
func realServer(t *testing.T) string {
	t.Helper()
	const master, imapd = "/usr/sbin/cyrmaster", "/usr/lib/cyrus/bin/imapd"
	for _, file := range []string{master, imapd} {
		if _, err := os.Stat(file); err != nil {
			t.Skipf("Cyrus is not installed: %v", err)
		}
	}
	u, err := user.Lookup("cyrus")
	if os.Getuid() != 0 || err != nil {
		t.Skip("needs root and a user cyrus: Cyrus changes to it")
	}
	dir, err := os.MkdirTemp("/tmp", "cyradm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port := freePort(t)
	write(t, dir, "imapd.conf", "configdirectory: DIR/conf\npartition-default: DIR/spool\npartition-p2: DIR/spool2\ndefaultpartition: default\n"+
		"admins: cyrus\nunixhierarchysep: yes\nsasl_pwcheck_method: alwaystrue\nsasl_mech_list: PLAIN\nallowplaintext: yes\n"+
		"servername: mail.example.com\nsendmail: /bin/true\nsyslog_facility: LOCAL6\n")
	write(t, dir, "cyrus.conf", "START {\n recover cmd=\"/usr/lib/cyrus/bin/ctl_cyrusdb -C DIR/imapd.conf -r\"\n}\n"+
		"SERVICES {\n imap cmd=\""+imapd+" -C DIR/imapd.conf\" listen=\"127.0.0.1:"+port+"\" prefork=0\n}\n")
	give(t, dir, u)
	cmd := exec.Command(master, "-D", "-C", dir+"/imapd.conf", "-M", dir+"/cyrus.conf", "-p", dir+"/master.pid")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return port
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// give makes the directories and gives all to the user.
func give(t *testing.T, dir string, u *user.User) {
	t.Helper()
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	errs := []error{err1, err2}
	for _, d := range []string{"conf/db", "conf/lock", "conf/log", "conf/msg", "conf/proc", "conf/socket", "spool", "spool2"} {
		errs = append(errs, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	errs = append(errs, os.Chmod(dir, 0o755), filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, uid, gid))
	}))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
