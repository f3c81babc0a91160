package mboxlist

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
)

// realList puts mailboxes.db of a recorded spool into a file.
func realList(t *testing.T, spool string) string {
	t.Helper()
	r := tar.NewReader(fixture(t, spool+".tar.gz"))
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(h.Name, "/conf/mailboxes.db") {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "mailboxes.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// Every record that real servers wrote is read, and written again octet for
// octet the same; the dump is the real tool's; and going to LevelDB and back
// changes nothing.
func TestRealLists(t *testing.T) {
	for _, spool := range []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.10.3-conversations"} {
		t.Run(spool, func(t *testing.T) {
			path := realList(t, spool)
			want := readAll(t, path)
			checkRecords(t, want)
			if err := (cyrusdb.Site{Path: path, Kind: "leveldb"}).Recover(func(string) {}); err != nil {
				t.Fatal(err)
			}
			l, err := Open(Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			dumped, err := io.ReadAll(fixture(t, spool+".ctl_mboxlist-d.json.gz"))
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			if err := l.Dump(&got, DumpOptions{}); err != nil || got.String() != string(dumped) {
				t.Errorf("dumped\n%s\n%v; want\n%s", got.String(), err, dumped)
			}
			back := path + ".twoskip"
			if _, err := cyrusdb.Convert(path, back, "twoskip"); err != nil {
				t.Fatal(err)
			}
			got2 := readAll(t, back)
			if len(got2) != len(want) {
				t.Errorf("%d records came back of %d", len(got2), len(want))
			}
			for k, v := range want {
				if got2[k] != v {
					t.Errorf("%q came back as %q, was %q", k, got2[k], v)
				}
			}
		})
	}
}

func readAll(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := cyrusdb.Open("twoskip", path, kv.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := map[string]string{}
	if err := db.Scan(nil, func(k, v []byte) error { rows[string(k)] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatal("no records")
	}
	return rows
}

func checkRecords(t *testing.T, rows map[string]string) {
	t.Helper()
	for k, v := range rows {
		var got string
		switch k[0] {
		case 'N':
			e, err := View{[]byte(k), []byte(v)}.Entry()
			if err != nil {
				t.Fatal(err)
			}
			got = string(e.appendValue(nil, 'N'))
		case 'I':
			e, err := decodeID(k[1:], []byte(v))
			if err != nil {
				t.Fatal(err)
			}
			got = string(e.appendValue(nil, 'I'))
		default:
			continue
		}
		if got != v {
			t.Errorf("%q:\n%q\nwritten again\n%q", k, v, got)
		}
	}
}
