// Package indextest has real Cyrus spools for tests of what looks at mailboxes.
package indextest

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// Spool is a spool that a real Cyrus wrote, unpacked into a directory of its own.
type Spool struct {
	Root    string
	Conf    string // imapd.conf
	Config  *config.Config
	Store   *mailbox.Store
	Entries []*mboxlist.Entry
	dir     string // of the fixtures
}

// Open unpacks the spool of the fixtures that is called name. Without fixtures
// the test is skipped; GOCYRUS_FIXTURES says where they are, if not beside the
// repository.
func Open(t testing.TB, name string) *Spool {
	t.Helper()
	s := &Spool{dir: filepath.Join(fixtures(t), "spool")}
	root := t.TempDir()
	untar(t, filepath.Join(s.dir, name+".tar.gz"), root)
	s.Root = filepath.Join(root, name)
	text, err := os.ReadFile(filepath.Join(s.Root, "imapd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	s.Conf = strings.ReplaceAll(string(text), "@ROOT@", s.Root)
	if s.Config, err = config.Parse(strings.NewReader(s.Conf), "imapd.conf", "imap"); err != nil {
		t.Fatal(err)
	}
	list := name
	if strings.HasSuffix(name, "oldindex") {
		list = "cyrus-3.6.1-default"
	}
	s.Entries = s.entries(t, list)
	s.Store = mailbox.NewStore(mailbox.OptionsFrom(s.Config), nil, nil)
	t.Cleanup(s.Store.Close)
	return s
}

// Entry is the mailbox called name.
func (s *Spool) Entry(t testing.TB, name mboxname.Name) *mboxlist.Entry {
	t.Helper()
	for _, e := range s.Entries {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("no mailbox %s", name)
	return nil
}

// Mailbox opens the mailbox called name.
func (s *Spool) Mailbox(t testing.TB, name mboxname.Name) *mailbox.Mailbox {
	t.Helper()
	m, err := s.Store.Open(t.Context(), s.Entry(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// Truth reads what the server said of the spool called name into v.
func (s *Spool) Truth(t testing.TB, name string, v any) {
	t.Helper()
	gunzip(t, filepath.Join(s.dir, name+".truth.json.gz"), v)
}

// fixtures is the directory of fixtures.
func fixtures(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GOCYRUS_FIXTURES")
	if dir == "" {
		dir = beside(t)
	}
	if _, err := os.Stat(filepath.Join(dir, "spool")); err != nil {
		t.Skip("no fixtures: ", err)
	}
	return dir
}

// beside is shared/fixtures beside the repository.
func beside(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "fixtures")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("not inside the repository")
		}
		dir = up
	}
}

func gunzip(t testing.TB, path string, to any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(to)
	}
	if err != nil {
		t.Fatal(path, err)
	}
}

func untar(t testing.TB, path, to string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = extract(r, h, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func extract(r io.Reader, h *tar.Header, to string) error {
	at := filepath.Join(to, h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(at, 0o755)
	case tar.TypeLink:
		return os.Link(filepath.Join(to, h.Linkname), at)
	case tar.TypeReg:
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return os.WriteFile(at, b, fs.FileMode(h.Mode)&0o777)
	}
	return nil
}

// entries reads the output of ctl_mboxlist -d. Tombstones and mere parents are
// left out.
func (s *Spool) entries(t testing.TB, name string) (all []*mboxlist.Entry) {
	t.Helper()
	var list map[string]struct {
		Name, UIDValidity, CreatedModSeq, FolderModSeq string
		MBType, Partition, UniqueID                    string
		ACL                                            map[string]string
	}
	gunzip(t, filepath.Join(s.dir, name+".ctl_mboxlist-d.json.gz"), &list)
	for _, e := range list {
		if strings.ContainsAny(e.MBType[1:], "di") {
			continue
		}
		acl := ""
		for id, rights := range e.ACL {
			acl += id + "\t" + rights + "\t"
		}
		all = append(all, &mboxlist.Entry{
			Name: mboxname.Name(e.Name), UniqueID: e.UniqueID, Partition: e.Partition, Type: e.MBType, ACL: acl,
			UIDValidity: uint32(number(t, e.UIDValidity)), CreatedModSeq: number(t, e.CreatedModSeq), FolderModSeq: number(t, e.FolderModSeq),
		})
	}
	return all
}

func number(t testing.TB, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
