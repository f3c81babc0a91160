package repair

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/recorded"
	"gocyrus/lib/site"
)

// spools are the fixtures that have a mailboxes.db: both layouts, both versions,
// with and without conversations, archive and metapartitions.
var spools = []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.10.3-conversations", "cyrus-3.6.1-oldindex"}

// A spool is a real one, unpacked.
type spool struct {
	root string
	cfg  *config.Config
}

// unpack unpacks a spool of the fixtures; the test is skipped without.
func unpack(t testing.TB, name string) *spool {
	t.Helper()
	f, err := os.Open(recorded.Path(t, "spool", name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	top := t.TempDir()
	untar(t, f, top)
	s := &spool{root: filepath.Join(top, name)}
	conf := filepath.Join(s.root, "imapd.conf")
	b, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "@ROOT@", s.root)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.cfg, err = config.Load(conf, "reconstruct"); err != nil {
		t.Fatal(err)
	}
	return s
}

func untar(t testing.TB, f io.Reader, to string) {
	t.Helper()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(to, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(at, 0o755)
		case tar.TypeLink:
			err = os.Link(filepath.Join(to, h.Linkname), at)
		case tar.TypeReg:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(at, b, fs.FileMode(h.Mode)&0o777)
			}
			if err == nil {
				err = os.Chtimes(at, h.ModTime, h.ModTime)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// open opens the site with a copy of the list in our format, beside Cyrus's, so
// that Cyrus's tools can look at the spool afterwards.
func (s *spool) open(t testing.TB) *site.Site {
	t.Helper()
	conf, err := os.ReadFile(filepath.Join(s.root, "imapd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(s.root, "ours.conf")
	list := filepath.Join(s.root, "ours.db")
	text := string(conf) + "\nmboxlist_db_path: " + list + "\nindex_version: 17\n"
	if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(list); err != nil {
		if _, err := cyrusdb.Convert(filepath.Join(s.root, "conf/mailboxes.db"), list, "leveldb"); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(ours, "reconstruct")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func entry(t testing.TB, s *site.Site, name mboxname.Name) *mboxlist.Entry {
	t.Helper()
	e, err := s.List.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// cyrusBin is where Cyrus is installed, and its user; an error says why its
// programs cannot be run.
func cyrusBin() (string, *user.User, error) {
	dir := os.Getenv("CYRUS_BIN")
	if dir == "" {
		dir = "/usr/lib/cyrus/bin"
	}
	if os.Getuid() != 0 {
		return "", nil, errors.New("Cyrus's tools run as user cyrus: the test has to start as root")
	}
	if _, err := os.Stat(filepath.Join(dir, "reconstruct")); err != nil {
		return "", nil, err
	}
	u, err := user.Lookup("cyrus")
	return dir, u, err
}

// cyrus runs one of Cyrus's programs on the spool, as user cyrus; the test is
// skipped where there is no Cyrus.
func (s *spool) cyrus(t testing.TB, program string, args ...string) string {
	t.Helper()
	dir, u, err := cyrusBin()
	if err != nil {
		t.Skip("no Cyrus to judge: ", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	err = filepath.WalkDir(s.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	// The directories of the test are closed to others.
	for d := filepath.Dir(s.root); len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(dir, program), append([]string{"-C", filepath.Join(s.root, "imapd.conf")}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", program, err, out)
	}
	return string(bytes.TrimSpace(out))
}

// lines are the findings that Cyrus would print.
func lines(found []Finding) []string {
	var all []string
	for _, f := range found {
		if !f.Quiet {
			all = append(all, f.Text)
		}
	}
	return all
}
