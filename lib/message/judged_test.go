package message

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// judged gives the messages of testdata/judged and the cache records that Cyrus
// 3.6.1 made of them: "corpus" are whole messages, "hard" are mutilated ones.
func judged(t testing.TB) (messages, records map[string][]byte) {
	names, err := filepath.Glob(filepath.Join("testdata", "judged", "*.eml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	messages, records = make(map[string][]byte), make(map[string][]byte)
	for _, n := range names {
		base := strings.TrimSuffix(n, ".eml")
		key := filepath.Base(base)
		if messages[key], err = os.ReadFile(n); err != nil {
			t.Fatal(err)
		}
		if records[key], err = os.ReadFile(base + ".cache"); err != nil {
			t.Fatal(err)
		}
	}
	return messages, records
}

func TestJudged(t *testing.T) {
	messages, records := judged(t)
	for name, b := range messages {
		m, err := Parse(b, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Cache, records[name]) {
			t.Errorf("%s: cache record differs", name)
			diffItems(t, records[name], m.Cache)
		}
	}
}
