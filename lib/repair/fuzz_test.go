package repair

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/repair/repairtest"
	"gocyrus/lib/site"
)

const fuzzConf = `configdirectory: @ROOT@/conf
partition-default: @ROOT@/spool
defaultpartition: default
mailbox_legacy_dirs: yes
`

// writeConf writes the configuration of a spool in dir.
func writeConf(t testing.TB, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "imapd.conf")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(fuzzConf, "@ROOT@", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// smallSpool opens the copy of the spool of repairtest in dir.
func smallSpool(t testing.TB, dir string) *site.Site {
	t.Helper()
	cfg, err := config.Load(writeConf(t, dir), "reconstruct")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// FuzzReconstruct spoils octets of a mailbox's files, and cuts them. Whatever is
// spoilt, reconstruct mends it: nothing is wrong afterwards, a second run finds
// nothing, and no message file is lost.
func FuzzReconstruct(f *testing.F) {
	for _, seed := range []string{"", "\x00\x00\x00\x01", "\x00\x01\x10\xff", "\x01\x00\x90\x20", "\x02\x00\x08\x08", "\x03\x00\x50\x00", "\x04\x00\xa8\x00\x05\x00\x02\x00"} {
		f.Add([]byte(seed))
	}
	template := f.TempDir()
	if err := repairtest.Make(writeConf(f, template)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, damage []byte) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
			t.Fatal(err)
		}
		s := smallSpool(t, dir)
		e := entry(t, s, "user.alice")
		p, err := pathsOf(s.Mailboxes.Options(), e)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; len(damage) >= 4 && n < 16; n, damage = n+1, damage[4:] {
			spoil(t, p, damage[:4])
		}
		if _, err := Reconstruct(t.Context(), s, e, Options{PreferList: true}); err != nil {
			t.Fatal(err)
		}
		again, err := Reconstruct(t.Context(), s, entry(t, s, "user.alice"), Options{Reparse: true})
		if err != nil || len(again) > 0 {
			t.Errorf("second run: %q, %v", again, err)
		}
		found, err := CheckSite(t.Context(), s, CheckOptions{Content: true})
		if err != nil || len(found) > 0 {
			t.Errorf("check: %q, %v", found, err)
		}
		if n := countFiles(t, p.dirs[0]); n < 3 {
			t.Errorf("%d message files of 3 are left", n)
		}
	})
}

// spoil does one damage: which file and how, where, and to what.
func spoil(t *testing.T, p *paths, d []byte) {
	t.Helper()
	file := []string{p.index, p.header, p.caches[0]}[int(d[0])%3]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := int(d[1])<<8 | int(d[2])
	if at >= len(b) {
		return
	}
	if d[0]/3%2 == 0 {
		b[at] ^= d[3]
	} else {
		b = b[:at]
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
