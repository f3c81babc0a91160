package mailbox

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
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/recorded"
)

// A realSpool is a spool that a real Cyrus wrote, unpacked.
type realSpool struct {
	root    string
	cfg     *config.Config
	entries []*mboxlist.Entry
	truth   truth
}

// truth is what the server said over IMAP.
type truth struct {
	Mailboxes map[string]struct {
		Views map[string]struct {
			Status   map[string]any
			Messages []map[string]any
		}
		External map[string]string `json:"external_name"`
	}
}

// unpack unpacks a spool of the fixtures, name without ".tar.gz".
func unpack(t testing.TB, name string) *realSpool {
	t.Helper()
	dir := recorded.Path(t, "spool")
	root := t.TempDir()
	untar(t, filepath.Join(dir, name+".tar.gz"), root)
	s := &realSpool{root: filepath.Join(root, name)}
	conf, err := os.ReadFile(filepath.Join(s.root, "imapd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(conf), "@ROOT@", s.root)
	if err := os.WriteFile(filepath.Join(s.root, "imapd.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.cfg, err = config.Parse(strings.NewReader(text), "imapd.conf", "imap"); err != nil {
		t.Fatal(err)
	}
	list := name
	if strings.HasSuffix(name, "oldindex") {
		list = "cyrus-3.6.1-default"
	}
	s.entries = readList(t, filepath.Join(dir, list+".ctl_mboxlist-d.json.gz"))
	gunzip(t, filepath.Join(dir, name+".truth.json.gz"), &s.truth)
	return s
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
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(to, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(at, 0o755)
		case tar.TypeLink:
			err = os.Link(filepath.Join(to, h.Linkname), at)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, at)
		case tar.TypeReg:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(at, b, fs.FileMode(h.Mode)&0o777)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// readList reads the output of ctl_mboxlist -d.
func readList(t testing.TB, path string) (all []*mboxlist.Entry) {
	t.Helper()
	var list map[string]struct {
		Name, UIDValidity, CreatedModSeq, FolderModSeq string
		MBType                                         string
		Partition, UniqueID                            string
		ACL                                            map[string]string
	}
	gunzip(t, path, &list)
	num := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
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
			UIDValidity: uint32(num(e.UIDValidity)), CreatedModSeq: num(e.CreatedModSeq), FolderModSeq: num(e.FolderModSeq),
		})
	}
	return all
}
