// Package spool_test takes spools that real Cyrus servers wrote, with what those
// servers said of them over IMAP, and holds ours against it: all of it must be
// answered equal, and what ours then changes must be what real Cyrus finds when
// it gets the directories back.
//
// The spools lie beside the repository, in shared/fixtures/spool, or where
// GOCYRUS_FIXTURES says; without them the tests are skipped. The way back needs
// root and Cyrus 3.6.1 besides.
package spool_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/recorded"
)

// A fixture is one spool.
type fixture struct {
	name  string
	users []string
	old   bool // 3.6.1's: some words differ from those of 3.10, whose level is ours
}

var fixtures = []fixture{
	{"cyrus-3.6.1-default", []string{"alice", "bob", "carol", "dave.smith"}, true},
	{"cyrus-3.6.1-classic", []string{"alice", "bob", "carol", "dave.smith", "zoe@example.org"}, true},
	{"cyrus-3.6.1-oldindex", []string{"alice", "bob", "carol", "dave.smith"}, true},
	{"cyrus-3.10.3-conversations", []string{"alice", "bob", "carol", "dave.smith"}, false},
}

// classic is the fixture with all that is old or rare: "." between components,
// the standard name space, virtual domains.
func (f *fixture) classic() bool { return f.name == "cyrus-3.6.1-classic" }

// file is the path of a file of the spools.
func file(t testing.TB, name string) string {
	t.Helper()
	return recorded.Path(t, "spool", name)
}

// open reads a file of the fixtures that gzip packed.
func open(t testing.TB, name string) io.Reader {
	t.Helper()
	f, err := os.Open(file(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// truth is what the server that wrote the spool said of it.
func (f *fixture) truth(t testing.TB) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.NewDecoder(open(t, f.name+".truth.json.gz")).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// unpack makes a directory of the test's own out of the spool.
func (f *fixture) unpack(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	// What is above is open to its maker alone, and servers run as another user.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(open(t, f.name+".tar.gz"))
	times := map[string]time.Time{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(filepath.Clean(h.Name), "/")
		if name == "" {
			continue
		}
		if err := extract(filepath.Join(dir, name), dir, h, r); err != nil {
			t.Fatal(err)
		}
		times[filepath.Join(dir, name)] = h.ModTime
	}
	for path, at := range times { // at the end: files change their directories' times
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// extract makes one file. Links are kept: a spool has one file for the copies of
// a message.
func extract(path, root string, h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(path, h.FileInfo().Mode().Perm())
	case tar.TypeLink:
		_, target, _ := strings.Cut(filepath.Clean(h.Linkname), "/")
		return os.Link(filepath.Join(root, target), path)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, h.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// imapdConf is the imapd.conf that the spool came with, for its place here and
// for any password.
func (f *fixture) imapdConf(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "imapd.conf.orig"))
	if errors.Is(err, os.ErrNotExist) {
		// The server writes its own under this name.
		if err := os.Rename(filepath.Join(dir, "imapd.conf"), filepath.Join(dir, "imapd.conf.orig")); err != nil {
			t.Fatal(err)
		}
		text, err = os.ReadFile(filepath.Join(dir, "imapd.conf.orig"))
	}
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("@ROOT@", dir,
		"sasl_pwcheck_method: auxprop", "sasl_pwcheck_method: alwaystrue", "sasl_auxprop_plugin: sasldb\n", "",
	).Replace(string(text))
	return conf + "sasl_sasldb_path: " + dir + "/sasldb2\n"
}

// serve runs ours on an unpacked spool. Whoever goes back to 3.6 tells ours to
// write no newer index.
func (f *fixture) serve(t testing.TB, dir string) *server {
	t.Helper()
	conf := f.imapdConf(t, dir)
	if f.old {
		conf += "index_version: 17\n"
	}
	return ours(t, dir, conf)
}

// owner is who the services run as: the test's user or, for root, cyrus.
func owner(t testing.TB) string {
	t.Helper()
	if os.Getuid() == 0 {
		if _, err := user.Lookup("cyrus"); err == nil {
			return "cyrus"
		}
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}
