package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse checks that a file that loads, loads again from its settings
// written plainly, and means the same.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/upstream/*.conf")
	for _, name := range append(files, "testdata/debian.conf") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"configdirectory: /a\nadmins: a \\\n b\nimap_timeout: 1d\n", "# \\\nx", "a:\xff", "archive_days: 3\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(bytes.ToLower(data), []byte("@include")) {
			t.Skip("no files here")
		}
		r := reader{seen: make(map[string]bool)}
		err := r.read(bytes.NewReader(data), "f")
		if err != nil {
			mustBeError(t, err)
			return
		}
		c, err := build("f", "imap", r.settings)
		if err != nil {
			mustBeError(t, err)
			return
		}
		var plain strings.Builder
		for _, s := range r.settings {
			plain.WriteString(s.key + ": " + s.value + "\n")
		}
		if strings.Contains(plain.String(), "\\\n") {
			return // a value may end in a backslash only where it joins no line
		}
		again, err := Parse(strings.NewReader(plain.String()), "f", "imap")
		if err != nil {
			t.Fatalf("again: %v", err)
		}
		var a, b bytes.Buffer
		if err := errors.Join(c.Print(&a, false, nil), again.Print(&b, false, nil)); err != nil || a.String() != b.String() {
			t.Errorf("%q\nbecame\n%q", a.String(), b.String())
		}
	})
}

func mustBeError(t *testing.T, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Text == "" {
		t.Errorf("error %v (%T) names no place", err, err)
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load("testdata/debian.conf", "imap"); err != nil {
			b.Fatal(err)
		}
	}
}
